"""Models, versions and aliases: numbered once, moved with care, deleted when nothing points at them."""

import threading
from datetime import timedelta

import pytest

from services.errors import Conflict, Invalid, NotFound, PreconditionFailed
from services.registry.service import RegistryService
from services.storage import params
from services.storage.artifacts import FolderArtifactStore
from services.storage.database import Database
from services.storage.manifest import decode_artifact
from services.storage.settings import StorageSettings
from services.storage.tables import AdaptationRow
from tests.fakes import FakeClock, artifact_file


@pytest.fixture
def registry(database: Database, artifacts: FolderArtifactStore, clock: FakeClock) -> RegistryService:
    return RegistryService(database, artifacts, clock)


def _adapt(database: Database, clock: FakeClock, version: int, ttl: timedelta | None = None) -> None:
    with database.write() as session:
        params.put(session, {"d" * 64: b""})
        session.flush()
        session.add(
            AdaptationRow(
                id="adp_1",
                model="m",
                version=version,
                digest="d" * 64,
                task="regression",
                classes=None,
                n_support=1,
                support_loss=0.1,
                options={},
                caller_metadata={},
                revision=1,
                created_at=clock.now(),
                expires_at=None if ttl is None else clock.now() + ttl,
            )
        )


def test_a_published_file_is_a_version(registry: RegistryService, clock: FakeClock) -> None:
    data = artifact_file()
    made = registry.publish("m", data, alias="champion")
    assert (made.model, made.version, made.aliases) == ("m", 1, ("champion",))
    manifest, _ = decode_artifact(data)
    assert (made.learner, made.signature) == (manifest.learner, manifest.signature)
    assert (made.training, made.metrics) == (manifest.training, manifest.metrics)
    assert (made.task, made.artifact_bytes, made.created_at) == ("regression", len(data), clock.now())
    assert registry.version("m", 1) == made
    assert registry.artifact("m", 1) == data


def test_versions_count_upwards_and_are_never_reused(registry: RegistryService) -> None:
    assert [registry.publish("m", artifact_file(weight)).version for weight in (1, 2, 3)] == [1, 2, 3]
    registry.delete_version("m", 3)
    assert registry.publish("m", artifact_file(3)).version == 4
    assert registry.publish("other", artifact_file(1)).version == 1


def test_publishing_again_with_the_same_token_makes_no_other_version(registry: RegistryService) -> None:
    first = registry.publish("m", artifact_file(1), token="t1")
    assert registry.publish("m", artifact_file(1), token="t1") == first
    assert registry.publish("m", artifact_file(1), token="t2").version == 2
    assert registry.publish("m", artifact_file(1)).version == 3


def test_publishing_at_once_numbers_every_version_once(registry: RegistryService) -> None:
    versions: list[int] = []

    def publish(weight: int) -> None:
        versions.append(registry.publish("m", artifact_file(weight), alias="champion").version)

    threads = [threading.Thread(target=publish, args=(weight,), daemon=True) for weight in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == [1, 2, 3, 4, 5, 6]
    assert registry.alias("m", "champion").revision == 6


def test_publishing_in_a_transaction_that_fails_publishes_nothing(
    registry: RegistryService, database: Database
) -> None:
    def publish_and_fail() -> None:
        with database.write() as session:
            registry.publish_in(session, "m", artifact_file(), alias="champion")
            raise KeyError("the rest of the work")

    with pytest.raises(KeyError):
        publish_and_fail()
    with pytest.raises(NotFound):
        registry.model("m")
    with database.write() as session:
        registry.publish_in(session, "m", artifact_file(), alias="champion")
    assert registry.resolve("m@champion").version == 1


@pytest.mark.parametrize(
    ("model", "data", "alias", "pointer"),
    [
        ("a/b", artifact_file(), None, "/model"),
        ("m", artifact_file(), "3", "/alias"),
        ("m", b"not a file", None, None),
        ("m", artifact_file()[:-1], None, None),
        ("m", artifact_file(float("nan")), None, None),
    ],
)
def test_a_bad_publication_leaves_nothing(
    registry: RegistryService,
    settings: StorageSettings,
    model: str,
    data: bytes,
    alias: str | None,
    pointer: str | None,
) -> None:
    with pytest.raises(Invalid) as raised:
        registry.publish(model, data, alias)
    assert [fault.pointer for fault in raised.value.faults] == ([pointer] if pointer else [])
    assert registry.models().data == []
    files = [path for path in settings.artifacts_path.rglob("*") if path.is_file()]
    assert files == []


def test_a_staged_file_can_be_discarded_unless_it_is_in_use(
    registry: RegistryService, artifacts: FolderArtifactStore
) -> None:
    sha256 = registry.stage(artifact_file()).artifact_sha256
    registry.discard(sha256)
    assert not artifacts.exists(sha256)
    registry.publish("m", artifact_file())
    assert registry.stage(artifact_file()).artifact_sha256 == sha256
    registry.discard(sha256)
    assert artifacts.exists(sha256)
    with pytest.raises(Invalid):
        registry.stage(b"not a file")


def test_what_a_reference_means(registry: RegistryService) -> None:
    for weight in (1, 2, 3):
        registry.publish("m", artifact_file(weight))
    assert registry.resolve("m").version == 3
    registry.set_alias("m", "champion", 2)
    registry.set_alias("m", "old", 1)
    assert registry.resolve("m").version == 2
    assert registry.resolve("m@champion").aliases == ("champion",)
    assert registry.resolve("m@old").version == 1
    assert registry.resolve("m@3").version == 3


@pytest.mark.parametrize(
    "reference", ["nope", "m@nope", "m@99", "nope@1", "nope@champion", "../../etc/passwd"]
)
def test_a_reference_to_nothing_is_not_found(registry: RegistryService, reference: str) -> None:
    registry.publish("m", artifact_file())
    with pytest.raises(NotFound):
        registry.resolve(reference)


def test_lists_tell_aliases_and_newest_versions(registry: RegistryService, clock: FakeClock) -> None:
    for name in ("a", "b"):
        for weight in (1, 2, 3):
            registry.publish(name, artifact_file(weight))
        clock.advance(1)
    registry.set_alias("a", "champion", 2)
    registry.set_alias("a", "x", 2)
    newest_first = registry.models().data
    assert [model.name for model in newest_first] == ["b", "a"]
    assert newest_first[1] == registry.model("a")
    assert newest_first[1].aliases == {"champion": 2, "x": 2}
    assert newest_first[1].latest_version == 3
    page = registry.versions("a", limit=2)
    assert [(version.version, version.aliases) for version in page.data] == [(3, ()), (2, ("champion", "x"))]
    rest = registry.versions("a", limit=2, after=page.next)
    assert [version.version for version in rest.data] == [1]
    assert rest.next is None
    with pytest.raises(NotFound):
        registry.versions("nope")


def test_a_model_outlives_its_versions(registry: RegistryService) -> None:
    registry.publish("m", artifact_file())
    registry.delete_version("m", 1)
    assert registry.model("m").latest_version is None
    with pytest.raises(NotFound, match="no versions"):
        registry.resolve("m")


def test_an_alias_moves_and_counts_its_moves(registry: RegistryService, clock: FakeClock) -> None:
    for weight in (1, 2):
        registry.publish("m", artifact_file(weight))
    first = registry.set_alias("m", "champion", 1)
    assert (first.version, first.revision) == (1, 1)
    clock.advance(5)
    assert registry.set_alias("m", "champion", 1) == first
    second = registry.set_alias("m", "champion", 2, if_match=1)
    assert (second.version, second.revision) == (2, 2)
    assert (second.created_at, second.updated_at) == (first.created_at, clock.now())
    assert registry.alias("m", "champion") == second


def test_an_alias_moved_by_another_is_not_moved(registry: RegistryService) -> None:
    for weight in (1, 2):
        registry.publish("m", artifact_file(weight))
    with pytest.raises(PreconditionFailed):
        registry.set_alias("m", "champion", 1, if_match=1)
    registry.set_alias("m", "champion", 1)
    with pytest.raises(PreconditionFailed):
        registry.set_alias("m", "champion", 2, if_match=2)
    with pytest.raises(PreconditionFailed):
        registry.set_alias("m", "champion", 2, if_none_match=True)
    with pytest.raises(PreconditionFailed):
        registry.delete_alias("m", "champion", if_match=2)
    assert registry.alias("m", "champion").version == 1
    registry.delete_alias("m", "champion", if_match=1)
    assert registry.set_alias("m", "champion", 2, if_none_match=True).version == 2


def test_an_alias_of_nothing_is_refused(registry: RegistryService) -> None:
    with pytest.raises(NotFound):
        registry.set_alias("m", "champion", 1)
    registry.publish("m", artifact_file())
    with pytest.raises(Invalid) as raised:
        registry.set_alias("m", "champion", 2)
    assert raised.value.faults[0].pointer == "/version"
    with pytest.raises(Invalid):
        registry.set_alias("m", "7", 1)
    for ask in (registry.alias, registry.delete_alias):
        with pytest.raises(NotFound):
            ask("m", "champion")
        with pytest.raises(NotFound):
            ask("nope", "champion")


def test_a_version_with_an_alias_stays(registry: RegistryService) -> None:
    registry.publish("m", artifact_file(), alias="champion")
    with pytest.raises(Conflict, match="champion"):
        registry.delete_version("m", 1)
    registry.delete_alias("m", "champion")
    registry.delete_version("m", 1)
    with pytest.raises(NotFound):
        registry.delete_version("m", 1)


def test_a_version_with_a_live_adaptation_stays(
    registry: RegistryService, database: Database, clock: FakeClock
) -> None:
    registry.publish("m", artifact_file())
    _adapt(database, clock, version=1, ttl=timedelta(seconds=60))
    with pytest.raises(Conflict, match="1 live adaptation"):
        registry.delete_version("m", 1)
    clock.advance(60)
    registry.delete_version("m", 1)
    with database.read() as session:
        assert session.get(AdaptationRow, "adp_1") is None


def test_a_version_kept_until_deleted_keeps_its_version(
    registry: RegistryService, database: Database, clock: FakeClock
) -> None:
    registry.publish("m", artifact_file())
    _adapt(database, clock, version=1)
    clock.advance(1e9)
    with pytest.raises(Conflict):
        registry.delete_version("m", 1)


def test_a_file_goes_with_the_last_version_that_has_it(
    registry: RegistryService, artifacts: FolderArtifactStore
) -> None:
    sha256 = registry.publish("m", artifact_file()).artifact_sha256
    registry.publish("other", artifact_file())
    registry.delete_version("m", 1)
    assert artifacts.exists(sha256)
    registry.delete_version("other", 1)
    assert not artifacts.exists(sha256)
