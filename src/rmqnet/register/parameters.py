"""What elastix is told: every parameter of every step in one place.

Names and values are those of elastix parameter files; https://elastix.dev lists them.
"""

from collections.abc import Mapping
from typing import Literal

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
    # only to find the motion: images are then interpolated with order 3 (resample.py)
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


def against_image(step: Step) -> Parameters:
    """Against an image of another contrast: mutual information of logarithms, from coarse to fine."""
    return {
        **_COMMON,
        **_TRANSFORM[step],
        "Metric": ("AdvancedMattesMutualInformation",),
        "NumberOfHistogramBins": ("32",),
        "NumberOfResolutions": ("3",),
        # x, y, z of each resolution: slices are thick and never smoothed as much as the plane
        "ImagePyramidSchedule": ("4", "4", "1", "2", "2", "1", "1", "1", "1"),
        "MaximumNumberOfIterations": ("300",),
        "NumberOfSpatialSamples": ("4096",),
    }


def soft_against_prediction(*, fine: bool) -> Parameters:
    """The step after `against_prediction` that follows soft tissue, by B-splines of 40 mm, or of 24 mm."""
    return {
        **_COMMON,
        "Transform": ("BSplineTransform",),
        "FinalGridSpacingInPhysicalUnits": ("24.0" if fine else "40.0",),
        "Metric": ("AdvancedNormalizedCorrelation",),
        "NumberOfResolutions": ("1",),
        "ImagePyramidSchedule": ("1", "1", "1"),
        "MaximumNumberOfIterations": ("250",),
        "NumberOfSpatialSamples": ("5000",),
        "ImageSampler": ("RandomSparseMask",),
    }


def against_prediction(step: Step) -> Parameters:
    """Against what the other images predict for this contrast: correlation, since only noise and place differ."""
    return {
        **_COMMON,
        **_TRANSFORM[step],
        "Metric": ("AdvancedNormalizedCorrelation",),
        "NumberOfResolutions": ("2",),
        "ImagePyramidSchedule": ("2", "2", "1", "1", "1", "1"),
        "MaximumNumberOfIterations": ("300",),
        "NumberOfSpatialSamples": ("6000",),
        # voxels, not places between them: the fixed image is then never interpolated. The sampler Random does so too,
        # but forgets its seed
        "ImageSampler": ("RandomSparseMask",),
    }
