"""What was found in a folder of DICOM files, as tables and sentences for a person."""

from rmqnet.domain.acquisition import Method
from rmqnet.io.dicom.methods import FoundVolume
from rmqnet.io.dicom.plan import ImportPlan, Knee
from rmqnet.report.tables import Cell, Table

_NAMES: dict[Method, str] = {
    "vfa": "flip-angle series",
    "afi": "AFI pair",
    "adiabatic_t1rho": "adiabatic T1rho",
    "spin_lock": "spin lock",
}


def import_tables(plan: ImportPlan) -> list[Table]:
    """One table per knee, and one of what is left out."""
    tables = [_knee(knee, len(plan.knees)) for knee in plan.knees]
    if plan.left_out:
        rows = [
            (Cell(item.what), Cell(item.description[:60]), Cell(f"{item.n_images:,}"), Cell(item.why))
            for item in plan.left_out
        ]
        tables.append(Table("Left out", ("What", "Description", "Images", "Why"), rows))
    return tables


def import_words(plan: ImportPlan) -> list[str]:
    """What was assumed and what looks wrong, in sentences."""
    words: list[str] = []
    for knee in plan.knees:
        sources: dict[str, list[str]] = {}
        for item in _ordered(knee):
            if item.source:
                sources.setdefault(item.source, []).append(
                    f"{item.acquisition.label.removeprefix('TSL ')} (series {item.volume.label})"
                )
        for source, times in sources.items():
            words.append(f"Spin-lock times are taken from {source}: {', '.join(times)}.")
            if source == "EchoTime":
                words.append("The echo time itself is then not known. Is this right for your sequence?")
        words.append(f"Side: {knee.side or 'unknown'} ({knee.side_source}).")
        words += knee.notes
    return [*dict.fromkeys(words), *plan.notes]


def _ordered(knee: Knee) -> list[FoundVolume]:
    """Volumes by method, then by what tells its images apart."""

    def key(item: FoundVolume) -> tuple[str, float, float, float]:
        own = item.acquisition
        numbers = (own.spin_lock_time, own.repetition_time_excitation, own.flip_angle)
        time, repetition, angle = (number or 0.0 for number in numbers)
        return own.method, time, repetition, angle

    return sorted(knee.volumes, key=key)


def _knee(knee: Knee, n_knees: int) -> Table:
    rows = []
    for item in _ordered(knee):
        volume = item.volume
        sizes = (abs(volume.affine[:3, axis] @ volume.affine[:3, axis]) ** 0.5 for axis in range(3))
        rows.append(
            (
                Cell(_NAMES[item.acquisition.method]),
                Cell(item.acquisition.label),
                Cell(volume.label),
                Cell(volume.words[:60]),
                Cell(" x ".join(str(n) for n in volume.shape)),
                Cell(" x ".join(f"{size:.4g}" for size in sizes)),
                Cell(item.source),
            )
        )
    which = f", person {knee.person}, visit {knee.visit}" if n_knees > 1 else ""
    columns = (
        "Taken as",
        "Contrast",
        "Series",
        "Description",
        "Voxels",
        "Voxel size [mm]",
        "Spin-lock time from",
    )
    return Table(f"Found: {knee.side or 'unknown side of'} knee{which}", columns, rows)
