"""What elastix is told: every parameter of every step in one place.

Names and values are those of elastix parameter files; https://elastix.dev lists them.
"""

from collections.abc import Mapping
from typing import Literal

from rmqnet.register.resample import Parts

Parameters = Mapping[str, tuple[str, ...]]
Step = Literal["rigid", "affine"]
SCRATCH = "rmqnet-register-"
"""How the folder begins in which images go to elastix and motions come back."""

_COMMON: Parameters = {
    "FixedInternalImagePixelType": ("float",),
    "MovingInternalImagePixelType": ("float",),
    "Registration": ("MultiResolutionRegistration",),
    "FixedImagePyramid": ("FixedSmoothingImagePyramid",),
    "MovingImagePyramid": ("MovingSmoothingImagePyramid",),
    # only to find the motion, in an image whose slices are thin: resample.py then uses a B-spline
    "Interpolator": ("LinearInterpolator",),
    "ResampleInterpolator": ("FinalBSplineInterpolator",),
    "FinalBSplineInterpolationOrder": ("3",),
    "Resampler": ("DefaultResampler",),
    "WriteResultImage": ("false",),
    "DefaultPixelValue": ("0",),
    "HowToCombineTransforms": ("Compose",),
    "ErodeMask": ("false",),
    "Optimizer": ("AdaptiveStochasticGradientDescent",),
    "AutomaticParameterEstimation": ("true",),
    "AutomaticScalesEstimation": ("true",),
    "AutomaticTransformInitialization": ("false",),
    "ImageSampler": ("RandomCoordinate",),
    "NewSamplesEveryIteration": ("true",),
    "MaximumNumberOfSamplingAttempts": ("8",),
    "RequiredRatioOfValidSamples": ("0.05",),
    "RandomSeed": ("2024",),
}

_TRANSFORM: Mapping[Step, Parameters] = {
    "rigid": {"Transform": ("EulerTransform",)},
    "affine": {"Transform": ("AffineTransform",)},
}


def _smoothing(*levels: tuple[int, int], parts: Parts) -> Parameters:
    """Filters of both images from coarse to fine: (plane, slices), each in voxels of the image before it was split.

    elastix takes half of it for the standard deviation of its filter. Without one across the slices a registration
    stops where slices fall on slices (docs/decisions/017). Where no axis is split, z is taken for that of the slices.
    """
    most = max(parts)
    across = [n == most for n in parts] if most > 1 else [True, False, False]
    both: tuple[list[str], list[str]] = [], []
    for plane, slices in levels:
        z_y_x = [slices if thick else plane for thick in across]
        # elastix counts x, y, z
        both[0].extend(str(size) for size in reversed(z_y_x))
        both[1].extend(str(size * n) for size, n in zip(reversed(z_y_x), reversed(parts), strict=True))
    return {
        "FixedImagePyramidSchedule": tuple(both[0]),
        "MovingImagePyramidSchedule": tuple(both[1]),
        "NumberOfResolutions": (str(len(levels)),),
    }


def against_image(step: Step, parts: Parts) -> Parameters:
    """Against an image of another contrast: mutual information of logarithms, from coarse to fine.

    Here and below `parts` is into how many, along z, y and x, each voxel of the moving image was split.
    """
    return {
        **_COMMON,
        **_TRANSFORM[step],
        **_smoothing((4, 2), (2, 2), (1, 1), parts=parts),
        "Metric": ("AdvancedMattesMutualInformation",),
        "NumberOfHistogramBins": ("32",),
        "MaximumNumberOfIterations": ("300",),
        "NumberOfSpatialSamples": ("4096",),
    }


def soft_against_prediction(parts: Parts, *, fine: bool) -> Parameters:
    """The step after `against_prediction` that follows soft tissue, by B-splines of 40 mm, or of 24 mm."""
    return {
        **_COMMON,
        **_smoothing((1, 1), parts=parts),
        "Transform": ("BSplineTransform",),
        "FinalGridSpacingInPhysicalUnits": ("24.0" if fine else "40.0",),
        "Metric": ("AdvancedNormalizedCorrelation",),
        "MaximumNumberOfIterations": ("250",),
        "NumberOfSpatialSamples": ("5000",),
        "ImageSampler": ("RandomSparseMask",),
    }


def against_prediction(step: Step, parts: Parts) -> Parameters:
    """Against what the other images predict for this contrast: correlation, since only noise and place differ."""
    return {
        **_COMMON,
        **_TRANSFORM[step],
        **_smoothing((2, 2), (1, 1), parts=parts),
        "Metric": ("AdvancedNormalizedCorrelation",),
        "MaximumNumberOfIterations": ("300",),
        "NumberOfSpatialSamples": ("6000",),
        # voxels, not places between them: the fixed image is then never interpolated. The sampler Random does so too,
        # but forgets its seed
        "ImageSampler": ("RandomSparseMask",),
    }
