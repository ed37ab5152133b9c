"""Networks that find objects: boxes, masks, keypoints."""
from .faster_rcnn import *
from .keypoint_rcnn import *
from .mask_rcnn import *
from .retinanet import *
