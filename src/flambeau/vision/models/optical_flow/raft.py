"""RAFT: optical flow by repeated look-ups of correlations (Teed and Deng 2020, arXiv:2003.12039)."""
from __future__ import annotations

from typing import Any, Optional

from .... import cat, linspace, meshgrid, nn, relu, sigmoid, stack, tanh
from ....nn import Module, functional as F, init
from ....tensor.tensor import Tensor
from ...ops.misc import Conv2dNormActivation
from .._api import WeightsEnum, register_model
from .._utils import handle_legacy_interface, load_weights
from .._weights import flow
from ._utils import grid_sample, make_coords_grid, upsample_flow

__all__ = ["RAFT", "Raft_Large_Weights", "Raft_Small_Weights", "raft_large", "raft_small"]


class ResidualBlock(Module):
    """Two 3×3 convolutions around which the input, projected if need be, is added."""

    def __init__(self, in_channels, out_channels, *, norm_layer, stride=1, always_project: bool = False):
        super().__init__()
        self.convnormrelu1 = Conv2dNormActivation(in_channels, out_channels, norm_layer=norm_layer, kernel_size=3,
                                                  stride=stride, bias=True)
        self.convnormrelu2 = Conv2dNormActivation(out_channels, out_channels, norm_layer=norm_layer, kernel_size=3,
                                                  bias=True)
        self.downsample: Module = nn.Identity()
        if stride != 1 or always_project:
            self.downsample = Conv2dNormActivation(in_channels, out_channels, norm_layer=norm_layer, kernel_size=1,
                                                   stride=stride, bias=True, activation_layer=None)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.downsample(x) + self.convnormrelu2(self.convnormrelu1(x)))


class BottleneckBlock(Module):
    """1×1, 3×3 and 1×1 convolutions around which the input, projected if need be, is added."""

    def __init__(self, in_channels, out_channels, *, norm_layer, stride=1):
        super().__init__()
        narrow = out_channels // 4
        self.convnormrelu1 = Conv2dNormActivation(in_channels, narrow, norm_layer=norm_layer, kernel_size=1, bias=True)
        self.convnormrelu2 = Conv2dNormActivation(narrow, narrow, norm_layer=norm_layer, kernel_size=3, stride=stride,
                                                  bias=True)
        self.convnormrelu3 = Conv2dNormActivation(narrow, out_channels, norm_layer=norm_layer, kernel_size=1,
                                                  bias=True)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: Module = nn.Identity()
        if stride != 1:
            self.downsample = Conv2dNormActivation(in_channels, out_channels, norm_layer=norm_layer, kernel_size=1,
                                                   stride=stride, bias=True, activation_layer=None)

    def forward(self, x):
        return self.relu(self.downsample(x) + self.convnormrelu3(self.convnormrelu2(self.convnormrelu1(x))))


class FeatureEncoder(Module):
    """Images to features at an eighth of the resolution."""

    def __init__(self, *, block=ResidualBlock, layers=(64, 64, 96, 128, 256), strides=(2, 1, 2, 2),
                 norm_layer=nn.BatchNorm2d):
        super().__init__()
        if len(layers) != 5:
            raise ValueError(f"The expected number of layers is 5, instead got {len(layers)}")
        self.convnormrelu = Conv2dNormActivation(3, layers[0], norm_layer=norm_layer, kernel_size=7,
                                                 stride=strides[0], bias=True)
        for i in (1, 2, 3):
            self.add_module(f"layer{i}", nn.Sequential(
                block(layers[i - 1], layers[i], norm_layer=norm_layer, stride=strides[i]),
                block(layers[i], layers[i], norm_layer=norm_layer, stride=1)))
        self.conv = nn.Conv2d(layers[3], layers[4], kernel_size=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, (nn.BatchNorm2d, nn.InstanceNorm2d)):
                if module.weight is not None:
                    init.constant_(module.weight, 1)
                if module.bias is not None:
                    init.constant_(module.bias, 0)
        self.output_dim = layers[-1]
        self.downsample_factor = 2 ** sum(stride == 2 for stride in strides)

    def forward(self, x):
        return self.conv(self.layer3(self.layer2(self.layer1(self.convnormrelu(x)))))


class MotionEncoder(Module):
    """Correlations and the flow so far, as out_channels features."""

    def __init__(self, *, in_channels_corr, corr_layers=(256, 192), flow_layers=(128, 64), out_channels=128):
        super().__init__()
        if len(flow_layers) != 2:
            raise ValueError(f"The expected number of flow_layers is 2, instead got {len(flow_layers)}")
        if len(corr_layers) not in (1, 2):
            raise ValueError(f"The number of corr_layers should be 1 or 2, instead got {len(corr_layers)}")
        self.convcorr1 = Conv2dNormActivation(in_channels_corr, corr_layers[0], norm_layer=None, kernel_size=1)
        self.convcorr2: Module = nn.Identity()
        if len(corr_layers) == 2:
            self.convcorr2 = Conv2dNormActivation(corr_layers[0], corr_layers[1], norm_layer=None, kernel_size=3)
        self.convflow1 = Conv2dNormActivation(2, flow_layers[0], norm_layer=None, kernel_size=7)
        self.convflow2 = Conv2dNormActivation(flow_layers[0], flow_layers[1], norm_layer=None, kernel_size=3)
        self.conv = Conv2dNormActivation(corr_layers[-1] + flow_layers[-1], out_channels - 2, norm_layer=None,
                                         kernel_size=3)
        self.out_channels = out_channels

    def forward(self, flow, corr_features):
        known = cat([self.convcorr2(self.convcorr1(corr_features)), self.convflow2(self.convflow1(flow))], dim=1)
        return cat([self.conv(known), flow], dim=1)


class ConvGRU(Module):
    """A gated recurrent unit whose products are convolutions."""

    def __init__(self, *, input_size, hidden_size, kernel_size, padding):
        super().__init__()
        for gate in ("convz", "convr", "convq"):
            self.add_module(gate, nn.Conv2d(hidden_size + input_size, hidden_size, kernel_size=kernel_size,
                                            padding=padding))

    def forward(self, h, x):
        hx = cat([h, x], dim=1)
        z, r = sigmoid(self.convz(hx)), sigmoid(self.convr(hx))
        return (1 - z) * h + z * tanh(self.convq(cat([r * h, x], dim=1)))


def _pass_through_h(h, _):
    return h


class RecurrentBlock(Module):
    """One or two GRUs, one after the other."""

    def __init__(self, *, input_size, hidden_size, kernel_size=((1, 5), (5, 1)), padding=((0, 2), (2, 0))):
        super().__init__()
        if len(kernel_size) != len(padding):
            raise ValueError(f"kernel_size should have the same length as padding, instead got len(kernel_size) = "
                             f"{len(kernel_size)} and len(padding) = {len(padding)}")
        if len(kernel_size) not in (1, 2):
            raise ValueError(f"kernel_size should either 1 or 2, instead got {len(kernel_size)}")
        self.convgru1 = ConvGRU(input_size=input_size, hidden_size=hidden_size, kernel_size=kernel_size[0],
                                padding=padding[0])
        self.convgru2 = _pass_through_h
        if len(kernel_size) == 2:
            self.convgru2 = ConvGRU(input_size=input_size, hidden_size=hidden_size, kernel_size=kernel_size[1],
                                    padding=padding[1])
        self.hidden_size = hidden_size

    def forward(self, h, x):
        return self.convgru2(self.convgru1(h, x), x)


class FlowHead(Module):
    """The change of the flow, from the hidden state."""

    def __init__(self, *, in_channels, hidden_size):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, hidden_size, 3, padding=1)
        self.conv2 = nn.Conv2d(hidden_size, 2, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.conv2(self.relu(self.conv1(x)))


class UpdateBlock(Module):
    """One update: the next hidden state, and the change of the flow."""

    def __init__(self, *, motion_encoder, recurrent_block, flow_head):
        super().__init__()
        self.motion_encoder, self.recurrent_block, self.flow_head = motion_encoder, recurrent_block, flow_head
        self.hidden_state_size = recurrent_block.hidden_size

    def forward(self, hidden_state, context, corr_features, flow):
        motion = self.motion_encoder(flow, corr_features)
        hidden_state = self.recurrent_block(hidden_state, cat([context, motion], dim=1))
        return hidden_state, self.flow_head(hidden_state)


class MaskPredictor(Module):
    """Weights for `upsample_flow`, from the hidden state; `multiplier` balances gradients."""

    def __init__(self, *, in_channels, hidden_size, multiplier=0.25):
        super().__init__()
        self.convrelu = Conv2dNormActivation(in_channels, hidden_size, norm_layer=None, kernel_size=3)
        self.conv = nn.Conv2d(hidden_size, 8 * 8 * 9, 1, padding=0)
        self.multiplier = multiplier

    def forward(self, x):
        return self.multiplier * self.conv(self.convrelu(x))


class CorrBlock(Module):
    """The products of all pairs of features of two images, at several resolutions, and look-ups in them."""

    def __init__(self, *, num_levels: int = 4, radius: int = 4):
        super().__init__()
        self.num_levels, self.radius = num_levels, radius
        self.corr_pyramid: list[Tensor] = []
        self.out_channels = num_levels * (2 * radius + 1) ** 2

    def build_pyramid(self, fmap1, fmap2):
        """Stores the correlations of two feature maps (N, C, H, W)."""
        if fmap1.shape != fmap2.shape:
            raise ValueError(f"Input feature maps should have the same shape, instead got {fmap1.shape} (fmap1.shape) "
                             f"!= {fmap2.shape} (fmap2.shape)")
        smallest = 2 * 2 ** (self.num_levels - 1)
        if any(size < smallest for size in fmap1.shape[-2:]):
            raise ValueError("Feature maps are too small to be down-sampled by the correlation pyramid. H and W of "
                             f"feature maps should be at least {smallest}; got: {fmap1.shape[-2:]}. Remember that "
                             "input images to the model are downsampled by 8, so that means their dimensions should "
                             f"be at least 8 * {smallest} = {8 * smallest}.")
        n, c, h, w = fmap1.shape
        products = fmap1.view(n, c, h * w).transpose(1, 2) @ fmap2.view(n, c, h * w) / c ** 0.5
        volume = products.reshape(n * h * w, 1, h, w)
        self.corr_pyramid = [volume]
        for _ in range(self.num_levels - 1):
            volume = F.avg_pool2d(volume, kernel_size=2, stride=2)
            self.corr_pyramid.append(volume)

    def index_pyramid(self, centroids_coords):
        """The correlations around positions (N, 2, H, W) in the second image: (N, out_channels, H, W)."""
        side = 2 * self.radius + 1
        near = linspace(-self.radius, self.radius, side)
        around = stack(meshgrid(near, near, indexing="ij"), dim=-1).view(1, side, side, 2)
        n, _, h, w = centroids_coords.shape
        centres = centroids_coords.permute(0, 2, 3, 1).reshape(n * h * w, 1, 1, 2)
        found = []
        for volume in self.corr_pyramid:
            found.append(grid_sample(volume, centres + around, align_corners=True, mode="bilinear").view(n, h, w, -1))
            centres = centres / 2
        return cat(found, dim=-1).permute(0, 3, 1, 2).contiguous()


class RAFT(Module):
    """Two batches of images (N, 3, H, W) in [-1, 1], H and W multiples of 8 → a list of num_flow_updates flows
    (N, 2, H, W), each better than the one before: where each pixel of the first is in the second."""

    def __init__(self, *, feature_encoder, context_encoder, corr_block, update_block, mask_predictor=None):
        super().__init__()
        self.feature_encoder, self.context_encoder = feature_encoder, context_encoder
        self.corr_block, self.update_block = corr_block, update_block
        self.mask_predictor = mask_predictor
        if not hasattr(self.update_block, "hidden_state_size"):
            raise ValueError("The update_block parameter should expose a 'hidden_state_size' attribute.")

    def forward(self, image1, image2, num_flow_updates: int = 12):
        n, _, height, width = image1.shape
        if image2.shape[-2:] != (height, width):
            raise ValueError(f"input images should have the same shape, instead got ({height}, {width}) != "
                             f"{tuple(image2.shape[-2:])}")
        if height % 8 or width % 8:
            raise ValueError(f"input image H and W should be divisible by 8, instead got {height} (h) and {width} (w)")
        fmap1, fmap2 = self.feature_encoder(cat([image1, image2], dim=0)).chunk(2, dim=0)
        if fmap1.shape[-2:] != (height // 8, width // 8):
            raise ValueError("The feature encoder should downsample H and W by 8")
        self.corr_block.build_pyramid(fmap1, fmap2)
        context_out = self.context_encoder(image1)
        size = self.update_block.hidden_state_size
        if context_out.shape[1] <= size:
            raise ValueError(f"The context encoder outputs {context_out.shape[1]} channels, but it should have at "
                             f"strictly more than hidden_state={size} channels")
        hidden, context = tanh(context_out[:, :size]), relu(context_out[:, size:])
        start = make_coords_grid(n, height // 8, width // 8)
        coords, flows = start, []
        for _ in range(num_flow_updates):
            coords = coords.detach()  # each update is trained for itself
            hidden, change = self.update_block(hidden, context, self.corr_block.index_pyramid(coords), coords - start)
            coords = coords + change
            mask = None if self.mask_predictor is None else self.mask_predictor(hidden)
            flows.append(upsample_flow(coords - start, mask))
        return flows


_SIZES: dict[str, dict[str, Any]] = {
    "large": dict(layers=(64, 64, 96, 128, 256), context=256, block=ResidualBlock, context_norm=nn.BatchNorm2d,
                  radius=4, corr=(256, 192), flow=(128, 64), motion=128, hidden=128, kernel=((1, 5), (5, 1)),
                  padding=((0, 2), (2, 0)), head=256, mask=True),
    "small": dict(layers=(32, 32, 64, 96, 128), context=160, block=BottleneckBlock, context_norm=None, radius=3,
                  corr=(96,), flow=(64, 32), motion=82, hidden=96, kernel=(3,), padding=(1,), head=128, mask=False)}


def _raft(size: str, weights: WeightsEnum | None, progress: bool, **kwargs: Any) -> RAFT:
    """A network of a size; parts given in kwargs take the place of its own."""
    s = _SIZES[size]

    def part(name: str, make: Any) -> Any:
        given = kwargs.pop(name, None)
        return make() if given is None else given

    features = part("feature_encoder", lambda: FeatureEncoder(
        block=s["block"], layers=s["layers"], norm_layer=nn.InstanceNorm2d))
    context = part("context_encoder", lambda: FeatureEncoder(
        block=s["block"], layers=(*s["layers"][:4], s["context"]), norm_layer=s["context_norm"]))
    corr = part("corr_block", lambda: CorrBlock(num_levels=4, radius=s["radius"]))

    def update() -> UpdateBlock:
        motion = MotionEncoder(in_channels_corr=corr.out_channels, corr_layers=s["corr"], flow_layers=s["flow"],
                               out_channels=s["motion"])
        recurrent = RecurrentBlock(input_size=motion.out_channels + s["context"] - s["hidden"],
                                   hidden_size=s["hidden"], kernel_size=s["kernel"], padding=s["padding"])
        head = FlowHead(in_channels=s["hidden"], hidden_size=s["head"])
        return UpdateBlock(motion_encoder=motion, recurrent_block=recurrent, flow_head=head)

    block = part("update_block", update)
    mask = part("mask_predictor", lambda: MaskPredictor(in_channels=s["hidden"], hidden_size=256, multiplier=0.25)
                if s["mask"] else None)
    model = RAFT(feature_encoder=features, context_encoder=context, corr_block=corr, update_block=block,
                 mask_predictor=mask, **kwargs)
    if weights is not None:
        load_weights(model, weights, progress)
    return model


class Raft_Large_Weights(WeightsEnum):
    C_T_V1 = flow(
        "raft_large_C_T_V1-22a6c225", "https://github.com/princeton-vl/RAFT",
        metrics={"Sintel-Train-Cleanpass": {"epe": 1.4411},
                 "Sintel-Train-Finalpass": {"epe": 2.7894},
                 "Kitti-Train": {"per_image_epe": 5.0172, "fl_all": 17.4506}},
        params=5_257_536, gflops=211.007, mb=20.129, min_size=128)
    C_T_V2 = flow(
        "raft_large_C_T_V2-1bb1363a", "optical_flow",
        metrics={"Sintel-Train-Cleanpass": {"epe": 1.3822},
                 "Sintel-Train-Finalpass": {"epe": 2.7161},
                 "Kitti-Train": {"per_image_epe": 4.5118, "fl_all": 16.0679}},
        params=5_257_536, gflops=211.007, mb=20.129, min_size=128)
    C_T_SKHT_V1 = flow(
        "raft_large_C_T_SKHT_V1-0b8c9e55", "https://github.com/princeton-vl/RAFT",
        metrics={"Sintel-Test-Cleanpass": {"epe": 1.94},
                 "Sintel-Test-Finalpass": {"epe": 3.18}},
        params=5_257_536, gflops=211.007, mb=20.129, min_size=128)
    C_T_SKHT_V2 = flow(
        "raft_large_C_T_SKHT_V2-ff5fadd5", "optical_flow",
        metrics={"Sintel-Test-Cleanpass": {"epe": 1.819},
                 "Sintel-Test-Finalpass": {"epe": 3.067}},
        params=5_257_536, gflops=211.007, mb=20.129, min_size=128)
    C_T_SKHT_K_V1 = flow(
        "raft_large_C_T_SKHT_K_V1-4a6a5039", "https://github.com/princeton-vl/RAFT",
        metrics={"Kitti-Test": {"fl_all": 5.1}}, params=5_257_536, gflops=211.007, mb=20.129, min_size=128)
    C_T_SKHT_K_V2 = flow(
        "raft_large_C_T_SKHT_K_V2-b5c70766", "optical_flow", metrics={"Kitti-Test": {"fl_all": 5.19}}, params=5_257_536,
        gflops=211.007, mb=20.129, min_size=128)
    DEFAULT = C_T_SKHT_V2


class Raft_Small_Weights(WeightsEnum):
    C_T_V1 = flow(
        "raft_small_C_T_V1-ad48884c", "https://github.com/princeton-vl/RAFT",
        metrics={"Sintel-Train-Cleanpass": {"epe": 2.1231},
                 "Sintel-Train-Finalpass": {"epe": 3.279},
                 "Kitti-Train": {"per_image_epe": 7.6557, "fl_all": 25.2801}},
        params=990_162, gflops=47.655, mb=3.821, min_size=128)
    C_T_V2 = flow(
        "raft_small_C_T_V2-01064c6d", "optical_flow",
        metrics={"Sintel-Train-Cleanpass": {"epe": 1.9901},
                 "Sintel-Train-Finalpass": {"epe": 3.2831},
                 "Kitti-Train": {"per_image_epe": 7.5978, "fl_all": 25.2369}},
        params=990_162, gflops=47.655, mb=3.821, min_size=128)
    DEFAULT = C_T_V2


@register_model()
@handle_legacy_interface(weights=("pretrained", Raft_Large_Weights.C_T_SKHT_V2))
def raft_large(*, weights: Optional[Raft_Large_Weights] = None, progress: bool = True, **kwargs: Any) -> RAFT:
    """`RAFT` as the paper has it; kwargs are parts of the network to use instead."""
    return _raft("large", Raft_Large_Weights.verify(weights), progress, **kwargs)


@register_model()
@handle_legacy_interface(weights=("pretrained", Raft_Small_Weights.C_T_V2))
def raft_small(*, weights: Optional[Raft_Small_Weights] = None, progress: bool = True, **kwargs: Any) -> RAFT:
    """The small `RAFT`; kwargs are parts of the network to use instead."""
    return _raft("small", Raft_Small_Weights.verify(weights), progress, **kwargs)
