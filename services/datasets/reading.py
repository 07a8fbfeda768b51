"""From an upload and its media type to arrays. Knows which reader reads what; and, with it, every format taken."""

from services.datasets.examples import normalise
from services.datasets.limits import DatasetLimits
from services.datasets.readers.image_folders import read_image_folders
from services.datasets.readers.npz import read_npz
from services.datasets.records import DatasetColumns, LabelledArrays
from services.datasets.upload import Upload
from services.errors import Invalid, UnsupportedMediaType

ZIP = "application/zip"
NPZ = "application/x-npz"
PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv"
MEDIA_TYPES = (ZIP, NPZ, PARQUET, CSV)

_TABLES = (PARQUET, CSV)


def plain_media_type(media_type: str) -> str:
    """The media type without its parameters. Raises UnsupportedMediaType where no reader takes it."""
    plain = media_type.partition(";")[0].strip().lower()
    if plain not in MEDIA_TYPES:
        raise UnsupportedMediaType(f"a dataset is one of {', '.join(MEDIA_TYPES)}; not {plain or 'untyped'}")
    return plain


def check_columns(media_type: str, columns: DatasetColumns) -> None:
    """Raise Invalid for columns that are missing, or given for a file that has none."""
    if media_type in _TABLES:
        if columns.target is None:
            raise Invalid("name the column to predict: ?target=…")
    elif columns != DatasetColumns():
        raise Invalid(f"{media_type} has no columns: leave out inputs, target, task, categorical and order")


def read(upload: Upload, media_type: str, columns: DatasetColumns, limits: DatasetLimits) -> LabelledArrays:
    """The examples of an upload. Raises Invalid, TooLarge; leaves nothing behind either way."""
    if media_type == ZIP:
        examples = read_image_folders(upload, limits)
    elif media_type == NPZ:
        examples = read_npz(upload, limits)
    else:
        # pyarrow takes a third of a second to import; a service that never sees a table need not wait.
        from services.datasets.readers.csv import read_csv
        from services.datasets.readers.parquet import read_parquet

        examples = (read_parquet if media_type == PARQUET else read_csv)(upload, columns, limits)
    return normalise(examples, limits)
