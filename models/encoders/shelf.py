"""The operator's folder of encoders, by name. Reads files; loads nothing and imports no torch.

An encoder `owner/name` lies in `FOLDER/owner/name`, as the hub's own tools put it there. Whatever processes rebuild
a model share the folder, or have equal ones: a version holds the digest of its encoder's files, not the files.
"""

from pathlib import Path

import msgspec

from models.encoders.folder import EncoderError, EncoderFiles, is_encoder_name, read_folder
from models.spec import EncoderSpec


class EncoderShelf:
    """Encoders by name; `folder` None where the operator has set up none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Of all that are there and may be used, sorted."""
        if self._folder is None or not self._folder.is_dir():
            return []
        plain = [path.parent for path in self._folder.glob("*/config.json")]
        owned = [path.parent for path in self._folder.glob("*/*/config.json")]
        # A folder within an encoder's is a part of it, such as its pooling.
        found = [*plain, *(path for path in owned if path.parent not in plain)]
        names = (path.relative_to(self._folder).as_posix() for path in found)
        return sorted(name for name in names if is_encoder_name(name))

    def files(self, name: str) -> EncoderFiles:
        """What there is of an encoder. Raises EncoderError."""
        if self._folder is None:
            raise EncoderError("no folder of encoders is set up here (INNERLOOP_ENCODER_DIR)")
        if not is_encoder_name(name):
            raise EncoderError(
                "an encoder is called `name` or `owner/name`: letters, digits, '.', '_' and '-'"
            )
        folder = self._folder / name
        if not folder.is_dir():
            known = ", ".join(self.names()) or "none"
            raise EncoderError(
                f"there is no encoder {name!r} in this service's folder of encoders; there are: {known}. Whoever "
                f"runs the service puts it there: innerloop encoders pull {name}"
            )
        try:
            return read_folder(folder)
        except EncoderError as error:
            raise EncoderError(f"encoder {name!r}: {error}") from error

    def resolved(self, spec: EncoderSpec) -> EncoderSpec:
        """The spec with digest and width of what is there.

        Raises EncoderError, also where the spec already holds a digest and another one is there.
        """
        files = self.files(spec.encoder)
        sha256 = files.sha256()
        if spec.sha256 not in (None, sha256) or spec.width not in (None, files.width):
            raise EncoderError(
                f"encoder {spec.encoder!r} is not the one that was meant: sha256 {sha256} is there, "
                f"{spec.sha256} is wanted"
            )
        return msgspec.structs.replace(spec, sha256=sha256, width=files.width)
