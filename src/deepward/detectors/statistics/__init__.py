"""Statistics: fixed descriptions of samples, by name. A new one is one file and one line here."""

from collections.abc import Callable

from deepward.detectors.statistics.base import Floats, Statistic
from deepward.detectors.statistics.cooccurrence import Cooccurrence
from deepward.detectors.statistics.encoder import Backbone, Encoder
from deepward.detectors.statistics.inconsistency import Inconsistency
from deepward.detectors.statistics.patches import Patches
from deepward.detectors.statistics.sound.cooccurrence import SoundCooccurrence
from deepward.detectors.statistics.sound.form import SoundForm
from deepward.detectors.statistics.sound.lfcc import Lfcc
from deepward.detectors.statistics.sound.phase import Phase
from deepward.detectors.statistics.sound.source import Source
from deepward.detectors.statistics.sound.spectra import LogSpectrum, Modulation
from deepward.detectors.statistics.spectrum import Spectrum
from deepward.detectors.statistics.thumbnail import Thumbnail
from deepward.errors import UsageError

__all__ = ["STATISTICS", "Floats", "Statistic", "build_statistic"]

STATISTICS: dict[str, Callable[[], Statistic]] = {
    "cooccurrence": Cooccurrence,
    "encoder": Encoder,
    "inconsistency": Inconsistency,
    "patches": Patches,
    "spectrum": Spectrum,
    "thumbnail": Thumbnail,
    # of sounds
    "lfcc": Lfcc,
    "log_spectrum": LogSpectrum,
    "modulation": Modulation,
    "phase": Phase,
    "sound_cooccurrence": SoundCooccurrence,
    "sound_form": SoundForm,
    "source": Source,
}


def build_statistic(name: str) -> Statistic:
    """The statistic of that name; "timm/<model>" is any pretrained timm backbone.

    Raises:
        UsageError: the name is unknown.
    """
    if name in STATISTICS:
        return STATISTICS[name]()
    if name.startswith("timm/"):
        return Backbone(name)
    raise UsageError(
        f"Unknown statistic {name!r}; choose among {', '.join(STATISTICS)}, or name a pretrained "
        "timm backbone as timm/<model>."
    )
