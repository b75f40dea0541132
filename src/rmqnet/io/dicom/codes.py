"""Standard codes of quantities, statistics and tissues; what no standard names gets a code of our own scheme."""

from dataclasses import dataclass

from pydicom.sr.coding import Code

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.tissues import TISSUES

SCHEME = "99RMQNET"
"""Our own coding scheme; docs/how-to/dicom.md lists its codes."""


def own_code(value: str, meaning: str) -> Code:
    """A code of our own scheme."""
    return Code(value, SCHEME, meaning)


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


def _ucum(value: str, meaning: str) -> Code:
    return Code(value, "UCUM", meaning)


MEAN = _sct("373098007", "Mean")
MEDIAN = _sct("373099004", "Median")
STANDARD_DEVIATION = _sct("386136009", "Standard Deviation")
VOLUME = _sct("118565006", "Volume")
CUBIC_MILLIMETER = _ucum("mm3", "cubic millimeter")
PERCENT = _ucum("%", "percent")
ANATOMICAL_STRUCTURE = _sct("123037004", "Anatomical Structure")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
SIDES = {"left": _sct("7771000", "Left"), "right": _sct("24028007", "Right")}

UNITS: dict[str, Code] = {
    "ms": _ucum("ms", "millisecond"),
    "%": PERCENT,
    "a.u.": _ucum("[arb'U]", "arbitrary unit"),
    "": _ucum("1", "no units"),
}
"""UCUM unit by display unit."""

_QUANTITIES: dict[str, Code] = {
    "T1": Code("113063", "DCM", "T1"),
    # proton density without receive sensitivity would be 113058 DCM; M0 carries the sensitivity
}


def _own_tissue(name: str, meaning: str) -> Code:
    return own_code(f"TISSUE-{TISSUES[name].label}", meaning)


KNEE_JOINT = _sct("49076000", "Knee joint")
_KNEE = _sct("72696002", "Knee")
_FEMUR = _sct("71341001", "Femur")
_TIBIA = _sct("12611008", "Tibia")
_PATELLA = _sct("64234005", "Patella")
_FIBULA = _sct("87342007", "Fibula")
_CARTILAGE = _sct("309312004", "Cartilage")
_MENISCUS = _sct("74135004", "Meniscus")
_LIGAMENT = _sct("52082005", "Ligament")
_MARROW = _sct("14016003", "Bone Marrow")
_FAT = _sct("256674009", "Fat")
_MEDIAL = _sct("255561001", "Medial")
_LATERAL = _sct("49370004", "Lateral")
_ANTERIOR = _sct("255549009", "Anterior")
_POSTERIOR = _sct("255551008", "Posterior")


@dataclass(frozen=True)
class TissueCode:
    """What a segment shows and where."""

    kind: Code
    """Segmented property type, for example cartilage."""
    region: Code
    """Anatomic region."""
    modifier: Code | None = None
    """Which of several, for example medial."""


TISSUE_CODES: dict[str, TissueCode] = {
    "femoral_cartilage": TissueCode(_CARTILAGE, _FEMUR),
    "medial_tibial_cartilage": TissueCode(_CARTILAGE, _TIBIA, _MEDIAL),
    "lateral_tibial_cartilage": TissueCode(_CARTILAGE, _TIBIA, _LATERAL),
    "patellar_cartilage": TissueCode(_CARTILAGE, _PATELLA),
    "medial_meniscus": TissueCode(_MENISCUS, KNEE_JOINT, _MEDIAL),
    "lateral_meniscus": TissueCode(_MENISCUS, KNEE_JOINT, _LATERAL),
    "anterior_cruciate_ligament": TissueCode(_LIGAMENT, KNEE_JOINT, _ANTERIOR),
    "posterior_cruciate_ligament": TissueCode(_LIGAMENT, KNEE_JOINT, _POSTERIOR),
    "medial_collateral_ligament": TissueCode(_LIGAMENT, _KNEE, _MEDIAL),
    "lateral_collateral_ligament": TissueCode(_LIGAMENT, _KNEE, _LATERAL),
    "quadriceps_tendon": TissueCode(_sct("13024002", "Tendon"), _KNEE),
    "patellar_tendon": TissueCode(_sct("18033002", "Patellar Tendon"), _KNEE),
    "muscle": TissueCode(_sct("127954009", "Skeletal muscle"), _KNEE),
    "subcutaneous_fat": TissueCode(_sct("71966008", "Subcutaneous tissue"), _KNEE),
    "synovial_fluid": TissueCode(_own_tissue("synovial_fluid", "Synovial fluid"), KNEE_JOINT),
    "skin": TissueCode(_sct("39937001", "Skin"), _KNEE),
    "femoral_marrow": TissueCode(_MARROW, _FEMUR),
    "tibial_marrow": TissueCode(_MARROW, _TIBIA),
    "patellar_marrow": TissueCode(_MARROW, _PATELLA),
    "fibular_marrow": TissueCode(_MARROW, _FIBULA),
    "cortical_bone": TissueCode(_own_tissue("cortical_bone", "Cortical bone"), _KNEE),
    "calcified_cartilage": TissueCode(_own_tissue("calcified_cartilage", "Calcified cartilage"), KNEE_JOINT),
    "retinaculum": TissueCode(_own_tissue("retinaculum", "Retinaculum of patella"), _KNEE),
    "popliteal_vessels": TissueCode(
        _own_tissue("popliteal_vessels", "Popliteal artery and vein"), _sct("32361000", "Popliteal fossa")
    ),
    "intermuscular_fat": TissueCode(_FAT, _KNEE),
    "infrapatellar_fat_pad": TissueCode(
        _own_tissue("infrapatellar_fat_pad", "Infrapatellar fat pad"), KNEE_JOINT
    ),
}
"""Codes by tissue; none of the specific SNOMED codes that DICOM does not list is used."""


def quantity_code(name: str) -> Code:
    """Code of a quantity: a standard one where there is one."""
    own = QUANTITIES[name]
    # viewers show the meaning alone, so the short name that people know stands first in it
    return _QUANTITIES.get(name) or own_code(own.bids_suffix, f"{name}: {own.long_name.partition(':')[0]}")


def valid_share_code(name: str) -> Code:
    """Code of the share of a region's voxels in which a quantity has a value."""
    return own_code(f"V-{QUANTITIES[name].bids_suffix}", f"Share of voxels with a value of {name}")


def spoken(tissue: str) -> str:
    """Name of a tissue for a person."""
    return TISSUES[tissue].name.replace("_", " ")
