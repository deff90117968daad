"""Our transport where it differs: HTTP/2, what is posted, forks, its own limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifications.channels.base import Button, Outcome
from notifications.channels.fcm import FcmChannel
from notifications.channels.fcm_transport import (
    HTTP_2_CONNECTIONS,
    Limits,
    name_fault,
)
from tests.notifications.channels.conftest import make_push
from tests.notifications.channels.fault_server import FaultServer
from tests.notifications.channels.h2_server import H2Server
from tests.notifications.sandbox.sandbox_process import run_sandbox

OpenChannel = Callable[..., FcmChannel]
# On a machine with a lot else to do, an answer may take long.
PATIENT = Limits(connect_s=60, total_s=60, window=200)


@pytest.fixture
def h2_server(certificate: Path) -> Iterator[H2Server]:
    with H2Server(certificate) as server:
        yield server


@pytest.fixture
def h2_channel(
    h2_server: H2Server,
    server: FaultServer,
    certificate: Path,
    open_channel: OpenChannel,
) -> FcmChannel:
    """Tokens from the plain server, messages over TLS."""
    return open_channel(server, endpoint=h2_server.url, ca_bundle=str(certificate))


def test_messages_share_few_connections_over_http2(
    h2_server: H2Server, h2_channel: FcmChannel
) -> None:
    pushes = [make_push(number) for number in range(300)]
    results = dict(h2_channel.send(pushes, deadline_s=10))
    assert {result.outcome for result in results.values()} == {Outcome.SENT}
    assert len(results) == len(h2_server.posts) == 300
    assert 1 <= h2_server.connections <= HTTP_2_CONNECTIONS
    names = {result.provider_id for result in results.values()}
    assert len(names) >= 300 / HTTP_2_CONNECTIONS


def test_a_second_batch_reuses_the_connections(
    h2_server: H2Server, h2_channel: FcmChannel
) -> None:
    list(h2_channel.send([make_push(1)], deadline_s=10))
    list(h2_channel.send([make_push(2)], deadline_s=10))
    assert h2_server.connections == 1
    assert len(h2_server.posts) == 2


@pytest.mark.parametrize("fault", ["refuse", "goaway", "die"])
def test_a_broken_stream_or_connection_is_never_posted_again(
    fault: str, h2_server: H2Server, h2_channel: FcmChannel
) -> None:
    list(h2_channel.send([make_push(1)], deadline_s=10))
    token = f"token-{fault}-abcdefghijklmnop"
    results = dict(h2_channel.send([make_push(2, token=token)], deadline_s=10))
    assert results[0].outcome is Outcome.AMBIGUOUS
    assert len(h2_server.posts) == 2
    # A POST on a connection whose close has not been seen is rightly ambiguous too; it
    # works again soon, and what was posted is never posted a second time.
    outcomes = []
    while Outcome.SENT not in outcomes and len(outcomes) < 4:
        time.sleep(0.2)
        later = h2_channel.send([make_push(3 + len(outcomes))], deadline_s=10)
        outcomes.append(dict(later)[0].outcome)
    assert Outcome.SENT in outcomes
    assert len(set(h2_server.posts)) == len(h2_server.posts)


def test_silence_on_one_stream_holds_up_no_other(
    h2_server: H2Server, h2_channel: FcmChannel
) -> None:
    pushes = [make_push(number) for number in range(10)]
    pushes[4] = make_push(4, token="token-silent-abcdefghijklmnop")
    results = dict(h2_channel.send(pushes, deadline_s=10))
    assert results.pop(4).code == "TIMEOUT"
    assert {result.outcome for result in results.values()} == {Outcome.SENT}
    assert max(result.elapsed_s for result in results.values()) < 0.9
    # What swallowed a message is not trusted with the next batch.
    list(h2_channel.send([make_push(11)], deadline_s=10))
    assert h2_server.connections >= 2


def test_a_foreign_certificate_is_refused_without_our_bundle(
    h2_server: H2Server, server: FaultServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server, endpoint=h2_server.url)
    results = dict(channel.send([make_push(1)], deadline_s=10))
    assert results[0].code == "TLS_FAILED"
    assert h2_server.posts == []


def test_the_sandbox_gets_the_same_bytes_as_a_server_over_tls(
    h2_server: H2Server,
    h2_channel: FcmChannel,
    open_channel: OpenChannel,
    server: FaultServer,
    tmp_path: Path,
) -> None:
    pushes = [
        make_push(1, title='Zoë 🎉 "quoted"', link="https://shop.example/x"),
        make_push(2, platform="web", link="shop://basket", image_url="https://x/i"),
        make_push(3, fid="installation-id-22-chars", high_priority=True, badge=3),
        make_push(4, buttons=(Button("go", "Go", "shop://go"),), data={"k": "v"}),
    ]
    list(h2_channel.send(pushes, deadline_s=10))
    with run_sandbox(tmp_path / "log.jsonl") as sandbox:
        urls = {"endpoint": sandbox.url, "token_endpoint": f"{sandbox.url}/token"}
        channel = open_channel(server, **urls)
        outcomes = [r.outcome for _i, r in channel.send(pushes, deadline_s=10)]
        assert outcomes == [Outcome.SENT] * 4
        lines = sandbox.log.read_bytes().splitlines()
    marker = b',"request":'
    logged = {line[line.index(marker) + len(marker) : -1] for line in lines}
    assert logged == set(h2_server.posts)
    assert len(logged) == 4


def test_what_is_posted_names_bearer_type_and_path(
    h2_server: H2Server, h2_channel: FcmChannel
) -> None:
    list(h2_channel.send([make_push(1)], deadline_s=10))
    [headers] = h2_server.headers
    assert headers[":path"] == "/v1/projects/test-project/messages:send"
    assert headers["authorization"] == "Bearer good"
    assert headers["content-type"] == "application/json"
    message = json.loads(h2_server.posts[0])["message"]
    assert message["token"] == make_push(1).token


def test_a_forked_child_gets_its_own_answers(
    server: FaultServer, open_channel: OpenChannel
) -> None:
    """Send in the parent, then fork: each child must hear its own answer."""

    def behave(connection: object, body: bytes) -> bool:
        token = json.loads(body)["message"]["token"]
        answer = json.dumps({"name": token}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n"
        connection.sendall(head.encode() + answer)  # type: ignore[attr-defined]
        return True

    server.behaviour = behave
    # Patient: this asks whose answer it is, not how fast it comes.
    channel = open_channel(server, limits=PATIENT)
    list(channel.send([make_push(0)], deadline_s=PATIENT.total_s))
    children = []
    for child in range(1, 9):
        pid = os.fork()
        if pid == 0:
            pushes = [make_push(child * 100 + number) for number in range(20)]
            right = all(
                result.provider_id == pushes[index].token
                for index, result in channel.send(pushes, deadline_s=PATIENT.total_s)
            )
            os._exit(0 if right else 1)
        children.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    assert codes == [0] * 8
    assert len(server.posts) == 1 + 8 * 20
    last = channel.send([make_push(9)], deadline_s=PATIENT.total_s)
    [(_index, result)] = list(last)
    assert result.provider_id == make_push(9).token


def test_leaving_a_batch_early_ends_its_posts(
    server: FaultServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server)
    batch = channel.send([make_push(n) for n in range(100)], deadline_s=10)
    assert next(batch)[1].outcome is Outcome.SENT
    batch.close()
    posted = len(server.posts)
    assert posted <= 32
    assert len(dict(channel.send([make_push(200)], deadline_s=10))) == 1


def test_the_sdk_is_not_imported_before_a_push_is_sent() -> None:
    code = (
        "import sys, notifications.channels.registry, notifications.channels.fcm;"
        "sys.exit('firebase_admin' in sys.modules)"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "crm.settings"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_any_fault_after_a_byte_left_is_ambiguous() -> None:
    faults = {name_fault(number, handed_over=True) for number in range(1, 100)}
    assert faults == {"timeout", "connection_broken"}
