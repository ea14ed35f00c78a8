"""The webserver's GraphQL: launch a run, follow its log, read its end. Raw queries, no Dagster import.

Polling, not a subscription: the subscription never completes (docs/decisions/launching.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecom_platform.errors import CommandFailed, ConfigurationError, UnreachableError

TERMINAL = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
MAX_RETRIES, WILL_RETRY, RETRY_RUN = "dagster/max_retries", "dagster/will_retry", "dagster/auto_retry_run_id"
"""Dagster's tags of a run that may be tried again, is going to be, and was."""

_PAGE = 200  # events a poll; a run of ours has fewer in a second

_LOCATIONS = """
query { repositoriesOrError { __typename ... on RepositoryConnection {
  nodes { name location { name } jobs { name } } } ... on PythonError { message } } }
"""
_LAUNCH = """
mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on RunConfigValidationInvalid { errors { message } }
  ... on PythonError { message }
  ... on UnauthorizedError { message }
  ... on PipelineNotFoundError { message }
  ... on InvalidSubsetError { message } } }
"""
_RUNS = """
query ($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}, limit: 10) { __typename
  ... on Runs { results { runId status } } ... on PythonError { message } } }
"""
_RELOAD = "mutation ($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"
_FOLLOW = """
query ($run: ID!, $cursor: String, $limit: Int) {
  runOrError(runId: $run) { __typename ... on Run { status tags { key value } } }
  logsForRun(runId: $run, afterCursor: $cursor, limit: $limit) { __typename
    ... on EventConnection { cursor hasMore events { __typename
      ... on MessageEvent { message timestamp level stepKey }
      ... on ExecutionStepFailureEvent { failureMetadata { description } error { message cause { message } } }
      ... on ExecutionStepUpForRetryEvent { error { message cause { message cause { message } } } }
      ... on RunFailureEvent { error { message } }
      ... on AssetCheckEvaluationEvent { evaluation {
        checkName success description assetKey { path }
        metadataEntries { label ... on TextMetadataEntry { text } } } } } } } }
"""


@dataclass(frozen=True, slots=True)
class Followed:
    """One poll: the run's status, new events (raw), where to go on, and whether more are waiting."""

    status: str
    tags: Mapping[str, str]
    events: tuple[Mapping[str, Any], ...]
    cursor: str | None
    more: bool


class DagsterApi:
    """Speaks to one webserver at `address` (http://host:port)."""

    def __init__(self, address: str, *, seconds: float = 20.0) -> None:
        self.address = address.rstrip("/")
        self._seconds = seconds

    def launch(
        self,
        job: str,
        *,
        config: Mapping[str, object],
        tags: Mapping[str, str],
        assets: tuple[tuple[str, ...], ...] = (),
    ) -> str:
        """Submit the job and return the run's id. assets: only these of the job, by key path.

        Raises ConfigurationError for an unknown job or a config that the job refuses.
        """
        params: dict[str, object] = {
            "selector": self._selector(job, assets),
            "runConfigData": dict(config),
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self._ask(_LAUNCH, {"params": params})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            said = answer.get("message") or "; ".join(each["message"] for each in answer.get("errors", []))
            raise ConfigurationError(f"launch {job}", f"{answer['__typename']}: {said}", "Look at the job in the UI.")
        return str(answer["run"]["runId"])

    def runs(self, tags: Mapping[str, str]) -> list[str]:
        """The newest runs that have all these tags, newest first."""
        wanted = [{"key": key, "value": value} for key, value in tags.items()]
        answer = self._ask(_RUNS, {"tags": wanted})["runsOrError"]
        if answer["__typename"] != "Runs":
            raise CommandFailed(f"find runs with {dict(tags)}", f"{answer['__typename']}: {answer.get('message', '')}")
        return [str(each["runId"]) for each in answer["results"]]

    def jobs(self) -> set[str]:
        """The jobs of every code location that is loaded."""
        found = self._ask(_LOCATIONS, {})["repositoriesOrError"]
        if found["__typename"] != "RepositoryConnection":
            return set()
        return {job["name"] for node in found["nodes"] for job in node["jobs"] if not job["name"].startswith("__")}

    def reload(self, location: str) -> None:
        """Have the webserver read a code location anew; it would notice a change by itself, some time later."""
        self._ask(_RELOAD, {"name": location})

    def follow(self, run: str, cursor: str | None) -> Followed:
        """What happened in the run since the cursor (None: from the start)."""
        answer = self._ask(_FOLLOW, {"run": run, "cursor": cursor, "limit": _PAGE})
        state, log = answer["runOrError"], answer["logsForRun"]
        if state["__typename"] != "Run" or log["__typename"] != "EventConnection":
            raise CommandFailed(f"follow run {run}", f"{state['__typename']}, {log['__typename']}")
        tags = {each["key"]: each["value"] for each in state["tags"]}
        return Followed(state["status"], tags, tuple(log["events"]), log["cursor"], log["hasMore"])

    def _selector(self, job: str, assets: tuple[tuple[str, ...], ...]) -> dict[str, object]:
        found = self._ask(_LOCATIONS, {})["repositoriesOrError"]
        if found["__typename"] != "RepositoryConnection":
            raise CommandFailed("list the jobs", f"{found['__typename']}: {found.get('message', '')}")
        names: set[str] = set()
        for repository in found["nodes"]:
            jobs = {each["name"] for each in repository["jobs"]}
            names |= {each for each in jobs if not each.startswith("__")}
            if job in jobs:
                location = repository["location"]["name"]
                selector = {
                    "repositoryName": repository["name"],
                    "repositoryLocationName": location,
                    "pipelineName": job,
                }
                keys = [{"path": list(each)} for each in assets]
                return {**selector, **({"assetSelection": keys} if keys else {})}
        raise ConfigurationError(
            f"launch {job}",
            "there is no such job" if names else "no code location is loaded",
            f"Jobs are {', '.join(sorted(names))}." if names else "See `ecom logs code-location`.",
        )

    def _ask(self, query: str, variables: Mapping[str, object]) -> Any:
        import httpx

        try:
            with httpx.Client(timeout=self._seconds, trust_env=False) as client:
                answer = client.post(f"{self.address}/graphql", json={"query": query, "variables": dict(variables)})
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"reach Dagster at {self.address}", f"{type(error).__name__}: {error}", "Run `ecom up`."
            ) from error
        content = answer.json() if answer.headers.get("content-type", "").startswith("application/json") else {}
        if answer.status_code != 200 or content.get("errors") or "data" not in content:
            said = str(content.get("errors") or answer.text)[:500]
            raise UnreachableError(f"ask Dagster at {self.address}", f"HTTP {answer.status_code}: {said}")
        return content["data"]
