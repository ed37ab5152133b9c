"""The first transforms and functionals: torchvision's results, random streams, reprs and errors."""
import pytest

SAMPLES = ["pil", "pil grey", "uint8", "uint8 smooth", "channels last", "float32", "float64", "grey", "batch"]
TRANSFORMS = {
    "ToTensor": lambda M, s: M.ToTensor(),
    "PILToTensor": lambda M, s: M.PILToTensor(),
    "ConvertImageDtype float": lambda M, s: M.ConvertImageDtype(s.torch.float32),
    "ConvertImageDtype uint8": lambda M, s: M.ConvertImageDtype(s.torch.uint8),
    "ConvertImageDtype int16": lambda M, s: M.ConvertImageDtype(s.torch.int16),
    "ConvertImageDtype int64": lambda M, s: M.ConvertImageDtype(s.torch.int64),
    "ToPILImage": lambda M, s: M.ToPILImage(),
    "Normalize": lambda M, s: M.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
    "Normalize in place": lambda M, s: M.Normalize([0.5], [0.2], inplace=True),
    "Normalize by zero": lambda M, s: M.Normalize([0.5], [0.0]),
    "Resize smaller": lambda M, s: M.Resize(20),
    "Resize larger": lambda M, s: M.Resize((64, 80)),
    "Resize max_size": lambda M, s: M.Resize(30, max_size=35),
    "Resize not antialiased, small": lambda M, s: M.Resize((20, 30), antialias=False),
    "Resize nearest": lambda M, s: M.Resize((21, 77), M.InterpolationMode.NEAREST),
    "Resize nearest-exact": lambda M, s: M.Resize((21, 77), M.InterpolationMode.NEAREST_EXACT),
    "Resize bicubic": lambda M, s: M.Resize((21, 77), M.InterpolationMode.BICUBIC),
    "Resize bicubic, not antialiased": lambda M, s: M.Resize((21, 77), M.InterpolationMode.BICUBIC, antialias=False),
    "CenterCrop": lambda M, s: M.CenterCrop(30),
    "CenterCrop larger": lambda M, s: M.CenterCrop((70, 31)),
    "Pad": lambda M, s: M.Pad((1, 2, 3, 4), fill=7),
    "Pad negative": lambda M, s: M.Pad((-3, 5, 2, -1)),
    "Pad edge": lambda M, s: M.Pad(3, padding_mode="edge"),
    "Pad reflect": lambda M, s: M.Pad((3, 5), padding_mode="reflect"),
    "Pad symmetric": lambda M, s: M.Pad((3, 5), padding_mode="symmetric"),
    "RandomCrop": lambda M, s: M.RandomCrop(32, 4),
    "RandomCrop if needed": lambda M, s: M.RandomCrop(60, pad_if_needed=True, padding_mode="edge"),
    "RandomCrop too large": lambda M, s: M.RandomCrop(60),
    "RandomHorizontalFlip": lambda M, s: M.RandomHorizontalFlip(),
    "RandomVerticalFlip": lambda M, s: M.RandomVerticalFlip(0.6),
    "RandomResizedCrop": lambda M, s: M.RandomResizedCrop(28),
    "FiveCrop": lambda M, s: M.FiveCrop(20),
    "TenCrop": lambda M, s: M.TenCrop((20, 15), True),
    "ColorJitter": lambda M, s: M.ColorJitter(0.4, 0.4, 0.4, 0.2),
    "ColorJitter contrast": lambda M, s: M.ColorJitter(contrast=(0.2, 2)),
    "ColorJitter saturation": lambda M, s: M.ColorJitter(saturation=0.9),
    "ColorJitter hue": lambda M, s: M.ColorJitter(hue=0.5),
    "RandomRotation": lambda M, s: M.RandomRotation(30),
    "RandomRotation expanding": lambda M,
    s: M.RandomRotation((10, 80), M.InterpolationMode.BILINEAR, expand=True, fill=3),
    "RandomRotation about": lambda M, s: M.RandomRotation(90, center=(3, 4)),
    "RandomRotation by 90": lambda M, s: M.RandomRotation((90, 90)),
    "RandomAffine": lambda M, s: M.RandomAffine(30, (0.1, 0.2), (0.5, 2), 10),
    "RandomAffine bilinear": lambda M,
    s: M.RandomAffine((-5, 60), (0.1, 0.2), (0.5, 2), (1, 5, 2, 9), M.InterpolationMode.BILINEAR,
                                                         fill=100, center=(5, 6)),
    "RandomPerspective": lambda M, s: M.RandomPerspective(p=1),
    "RandomPerspective nearest": lambda M, s: M.RandomPerspective(0.3, 0.9, M.InterpolationMode.NEAREST, fill=9),
    "Grayscale": lambda M, s: M.Grayscale(),
    "Grayscale 3": lambda M, s: M.Grayscale(3),
    "RandomGrayscale": lambda M, s: M.RandomGrayscale(0.5),
    "RandomErasing": lambda M, s: M.RandomErasing(1),
    "RandomErasing random": lambda M, s: M.RandomErasing(0.9, value="random"),
    "RandomErasing colour": lambda M, s: M.RandomErasing(1, value=(1, 2, 3)),
    "GaussianBlur": lambda M, s: M.GaussianBlur(5),
    "GaussianBlur uneven": lambda M, s: M.GaussianBlur((3, 9), (1, 3)),
    "RandomInvert": lambda M, s: M.RandomInvert(1),
    "RandomPosterize": lambda M, s: M.RandomPosterize(3, 1),
    "RandomSolarize": lambda M, s: M.RandomSolarize(100, 1),
    "RandomSolarize float": lambda M, s: M.RandomSolarize(0.5, 1),
    "RandomAdjustSharpness": lambda M, s: M.RandomAdjustSharpness(2, 1),
    "RandomAutocontrast": lambda M, s: M.RandomAutocontrast(1),
    "RandomEqualize": lambda M, s: M.RandomEqualize(1),
    "AutoAugment": lambda M, s: M.AutoAugment(),
    "AutoAugment CIFAR10": lambda M, s: M.AutoAugment(M.AutoAugmentPolicy.CIFAR10, fill=5),
    "AutoAugment SVHN": lambda M, s: M.AutoAugment(M.AutoAugmentPolicy.SVHN, M.InterpolationMode.BILINEAR),
    "RandAugment": lambda M, s: M.RandAugment(3),
    "TrivialAugmentWide": lambda M, s: M.TrivialAugmentWide(),
    "RandomApply": lambda M, s: M.RandomApply([M.RandomHorizontalFlip(0.5), M.RandomCrop(20)], 0.6),
    "RandomChoice": lambda M, s: M.RandomChoice([M.RandomHorizontalFlip(0.5), M.RandomCrop(20)]),
    "RandomOrder": lambda M, s: M.RandomOrder([M.RandomHorizontalFlip(0.5), M.RandomCrop(20)]),
    "Compose": lambda M,
    s: M.Compose([M.RandomCrop(32, 4), M.RandomHorizontalFlip(), M.ToTensor(), M.Normalize([0.5], [0.5])]),
    "Sequential": lambda M, s: s.torch.nn.Sequential(M.RandomCrop(32, 4), M.RandomHorizontalFlip()),
}
# a last bit in a float intermediate, also from one run of PyTorch to the next, which moves a pixel in ten thousand by 1
NEARLY = {
    "AugMix": lambda M, s: M.AugMix(),
    "AugMix narrow": lambda M, s: M.AugMix(5, 2, 2, 0.3, False),
    "ElasticTransform": lambda M, s: M.ElasticTransform(),
    "ElasticTransform nearest": lambda M, s: M.ElasticTransform(30.0, (3.0, 4.0), M.InterpolationMode.NEAREST, fill=9),
    "Resize not antialiased": lambda M, s: M.Resize((100, 90), antialias=False),
    "GaussianBlur large": lambda M, s: M.GaussianBlur(23, (3, 4)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform(name, same, samples):
    for kind in SAMPLES:
        same(lambda side: TRANSFORMS[name](side.v1, side), samples[kind])


@pytest.mark.parametrize("name", NEARLY)
def test_transform_to_a_pixel_in_a_thousand(name, same, samples):
    for kind in ("pil", "uint8", "batch"):
        same(lambda side: NEARLY[name](side.v1, side), samples[kind], tolerance=(1, 1e-3))


FUNCTIONALS = {
    "adjust_gamma": lambda F, x: F.adjust_gamma(x, 1.7, 0.9),
    "adjust_hue out of range": lambda F, x: F.adjust_hue(x, 0.6),
    "adjust_brightness negative": lambda F, x: F.adjust_brightness(x, -1),
    "affine scale": lambda F, x: F.affine(x, 0, [0, 0], 0, [0, 0]),
    "affine translate": lambda F, x: F.affine(x, 0, 3, 1, [0, 0]),
    "crop outside": lambda F, x: F.crop(x, -5, 30, 20, 40),
    "crop beyond": lambda F, x: F.crop(x, 100, -90, 20, 30),
    "five_crop too large": lambda F, x: F.five_crop(x, 90),
    "get_dimensions": lambda F, x: F.get_dimensions(x),
    "get_image_size": lambda F, x: F.get_image_size(x),
    "get_image_num_channels": lambda F, x: F.get_image_num_channels(x),
    "hflip": lambda F, x: F.hflip(x),
    "pad colour": lambda F, x: F.pad(x, 2, fill=(1, 2, 3)),
    "pad mode": lambda F, x: F.pad(x, 2, padding_mode="round"),
    "posterize 9": lambda F, x: F.posterize(x, 9),
    "resize three": lambda F, x: F.resize(x, [1, 2, 3]),
    "rotate mode": lambda F, x: F.rotate(x, 10, F.InterpolationMode.BICUBIC),
    "rotate three fills": lambda F, x: F.rotate(x, 10, fill=[1, 2]),
    "blur even": lambda F, x: F.gaussian_blur(x, 4),
    "to_grayscale": lambda F, x: F.to_grayscale(x),
    "vflip": lambda F, x: F.vflip(x),
}


@pytest.mark.parametrize("name", FUNCTIONALS)
def test_functional(name, same, samples):
    for kind in ("pil", "uint8", "float32", "grey"):
        same(lambda side: (lambda x: FUNCTIONALS[name](side.v1.functional, x)), samples[kind], seeds=(0,))


ARGUMENTS = {
    "Resize text": lambda M: M.Resize("large"),
    "Pad three": lambda M: M.Pad((1, 2, 3)),
    "Pad mode": lambda M: M.Pad(1, padding_mode="round"),
    "ColorJitter negative": lambda M: M.ColorJitter(brightness=-1),
    "ColorJitter hue": lambda M: M.ColorJitter(hue=0.7),
    "ColorJitter three": lambda M: M.ColorJitter(contrast=(1, 2, 3)),
    "RandomRotation negative": lambda M: M.RandomRotation(-5),
    "RandomRotation three": lambda M: M.RandomRotation((1, 2, 3)),
    "RandomAffine translate": lambda M: M.RandomAffine(0, translate=(2, 0)),
    "RandomAffine scale": lambda M: M.RandomAffine(0, scale=(0, 1)),
    "GaussianBlur even": lambda M: M.GaussianBlur(4),
    "GaussianBlur sigma": lambda M: M.GaussianBlur(3, (2, 1)),
    "RandomErasing scale": lambda M: M.RandomErasing(scale=(0.5, 2)),
    "RandomErasing value": lambda M: M.RandomErasing(value="noise"),
    "RandomChoice weights": lambda M: M.RandomChoice([], p=3),
    "RandomOrder": lambda M: M.RandomOrder(3),
    "Lambda": lambda M: M.Lambda(3),
    "ElasticTransform": lambda M: M.ElasticTransform(alpha=3),
    "AugMix": lambda M: M.AugMix(severity=11),
    "FiveCrop three": lambda M: M.FiveCrop((1, 2, 3)),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_argument_errors(name, sides):
    messages = []
    for side in sides:
        with pytest.raises((TypeError, ValueError)) as info:
            ARGUMENTS[name](side.v1)
        messages.append((info.type, str(info.value)))
    assert messages[0] == messages[1]


def test_gradients_flow_through_transforms(sides, samples):
    """A model may begin with transforms; their gradients are PyTorch's."""
    import numpy as np

    chains = [lambda F, x: F.normalize(x, [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]), lambda F,
              x: F.hflip(F.crop(x, 2, 3, 20, 20)),
              lambda F, x: F.resize(x, [20, 30]), lambda F, x: F.adjust_contrast(x, 1.3), lambda F,
              x: F.gaussian_blur(x, 3, 1.0),
              lambda F, x: F.rotate(x, 20.0, F.InterpolationMode.BILINEAR), lambda F, x: F.adjust_hue(x, 0.1)]
    for chain in chains:
        grads = []
        for side in sides:
            image = samples["float32"](side).clone().requires_grad_(True)
            (chain(side.v1.functional, image) ** 2).sum().backward()
            grads.append(image.grad.numpy())
        np.testing.assert_allclose(grads[1], grads[0], rtol=1e-3, atol=1e-4)
