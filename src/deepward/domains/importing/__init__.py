"""Data sets from elsewhere as domain folders: TFRecord, Arrow and Parquet, WebDataset, CSV."""

from deepward.domains.importing.job import Imported, import_domain
from deepward.domains.importing.reading import FORMATS
from deepward.domains.importing.records import Fields

__all__ = ["FORMATS", "Fields", "Imported", "import_domain"]
