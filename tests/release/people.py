"""People in a pod, who ask a shop's front door all the time, each request on a connection of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecom_platform.load.ledger import Answered
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.kubernetes.names import SHOP_ACCESS
from ecom_platform.platforms.kubernetes.pods import TemporaryPod, running
from ecom_platform.spec import Shop
from tests.waiting import wait_until

LEDGER = (Path(__file__).parent / "pod_ledger.py").read_text(encoding="utf-8")
RATE = 25.0


@contextmanager
def people(
    platform: KubernetesPlatform, shop: Shop, seconds: float, path: str = "/version"
) -> Iterator[list[Answered]]:
    """What they got is in the list afterwards. They end when the block ends, at the latest after so many seconds."""
    names, answers = platform.names, list[Answered]()
    # By its number: the platform's walls let nobody there ask for names.
    service = platform.cluster.read("services", shop.front_door.name, names.namespace)
    address = f"http://{service['spec']['clusterIP']}:{service['spec']['ports'][0]['port']}"
    command = ["python", "-c", LEDGER, address, path, str(RATE), str(seconds)]
    pod = TemporaryPod("people", names.platform_namespace, shop.service("backend").image, command, SHOP_ACCESS)
    with running(platform.cluster, {"people": pod}) as pods:
        name = pods["people"]["metadata"]["name"]

        def log() -> list[Any]:
            text = platform.cluster.logs(name, names.platform_namespace, lines=100_000)
            return [json.loads(line) for line in text.splitlines() if line.endswith(("]", "}"))]

        wait_until(lambda: len(log()) > 20, seconds=60, what="people are answered", every=1)
        yield answers
        enough = ["python", "-c", "import os; os.kill(1, 15)"]
        done = platform.cluster.execute(name, names.platform_namespace, enough, timeout=30)
        assert done.code == 0, done.stderr
        wait_until(lambda: any(isinstance(each, dict) for each in log()), seconds=60, what="their end", every=1)
        for number, began, status, instance, colour, version, problem in (x for x in log() if isinstance(x, list)):
            answers.append(Answered(number, 0, began, began, began, status, instance, colour, version, problem))
