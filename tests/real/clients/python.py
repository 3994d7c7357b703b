"""The official Python SDK. It does all of it by itself, but for the browser."""

import asyncio
import base64
import json
import os
import sys
import traceback
import urllib.parse
import urllib.request

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

GIVEN = json.loads(os.environ["REAL"])
CALLBACK = "http://127.0.0.1:3030/callback"  # nobody listens there


class ClientLimit(Exception):
    """What the client cannot do, with what was seen of it."""


def ask(url, body=None, method=None):
    request = urllib.request.Request(url, data=body, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read().decode()
    return json.loads(text) if text[:1] in "[{" else text


def control(**changes):
    """Changes what the authorization server does; what happened there since the last time."""
    return ask(GIVEN["control"], json.dumps(changes).encode())["events"]


def api_tokens(state):
    ask(f"{GIVEN['admin']}/organizations/acme/api-tokens/{state}", b"")


def basic():
    pair = f"{GIVEN['tokens']['email']}:{GIVEN['tokens']['personal']}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


class Storage:
    """In memory."""

    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Refused(Exception):
    """The authorization server sent the person back without a code."""


class App:
    """One program that uses the SDK."""

    def __init__(self, url=None, headers=None, oauth=True, refresh=True, document=None):
        self.url, self.headers, self.logins, self.storage = url or GIVEN["mcp"], headers, 0, Storage()
        self.seen = []
        self.oauth = None
        if oauth:
            grants = ["authorization_code", "refresh_token"] if refresh else ["authorization_code"]
            metadata = OAuthClientMetadata(redirect_uris=[CALLBACK], client_name="real", grant_types=grants)
            self.oauth = OAuthClientProvider(
                self.url, metadata, self.storage, self.open_page, self.returned, client_metadata_url=document
            )

    async def open_page(self, page):
        self.logins += 1
        query = urllib.parse.urlencode({"url": page, "user": "alice", "jar": GIVEN["jar"]})
        answer = await asyncio.to_thread(ask, f"{GIVEN['browser']}/visit?{query}")
        back = urllib.parse.parse_qs(urllib.parse.urlsplit(answer["location"]).query)
        self.back = {name: values[0] for name, values in back.items()}

    async def returned(self):
        if "error" in self.back:
            raise Refused(f"{self.back['error']}: {self.back.get('error_description')}")
        return AuthorizationCodeResult(**self.back)

    async def __aenter__(self):
        async def note(response):
            self.seen.append((response.request.method, response.request.url.path, response.status_code))

        self.http = httpx2.AsyncClient(
            auth=self.oauth, headers=self.headers, event_hooks={"response": [note]}, timeout=20
        )
        await self.http.__aenter__()
        await self.connect()
        return self

    async def connect(self):
        mode = "legacy" if GIVEN["protocol"] == "2025-11-25" else "auto"
        self.client = Client(streamable_http_client(self.url, http_client=self.http), mode=mode)
        await self.client.__aenter__()

    async def __aexit__(self, *error):
        try:
            await self.client.__aexit__(*error)
        finally:
            await self.http.__aexit__(*error)

    async def call(self, tool, arguments=None, **options):
        result = await self.client.call_tool(tool, arguments or {}, **options)
        assert not result.is_error, result
        return result.structured_content


async def login():
    async with App() as app:
        who = await app.call("whoami")
        found = (who["user"], who["organization"], who["scopes"], who["method"])
        assert found == ("alice", "acme", ["read:issues"], "oauth2"), who
        version = app.client.session.protocol_version
        assert version == GIVEN["protocol"], version
        events = control()
        assert [event["grant"] for event in events if event["kind"] == "granted"] == ["authorization_code"], events
        assert sum(event["kind"] == "registered" for event in events) == 1, events
        return ", ".join(f"{method} {path} {status}" for method, path, status in app.seen)


async def client_document():
    document = {
        "client_id": "https://client.example/python.json", "client_name": "documented", "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
    }
    control(documents={document["client_id"]: document})
    async with App(document=document["client_id"]) as app:
        who = await app.call("whoami")
        assert who["client"] == document["client_id"], who
        assert not [event for event in control() if event["kind"] == "registered"]
        return who["client"]


async def step_up_once():
    async with App() as app:
        assert (await app.call("whoami"))["scopes"] == ["read:issues"]
        assert (await app.call("createIssue", {"title": "stepped up"}))["title"] == "stepped up"
        assert (await app.call("whoami"))["scopes"] == ["read:issues", "write:issues"]
        assert app.logins == 2, app.logins
        events = control()
        assert sum(event["kind"] == "registered" for event in events) == 1, events
        return "logged in twice, by the same registration, within one call"


async def step_up():
    control(registeredScope="dropped")
    return await step_up_once()


async def step_up_strict():
    try:
        await step_up_once()
    except Exception as error:
        assert "invalid_scope" in "".join(traceback.format_exception(error)), error
        registered = [event for event in control() if event["kind"] == "registered"]
        assert "write:issues" not in registered[0]["scope"], registered
        raise ClientLimit("registers itself with the scopes of the first challenge and may not ask for more") from error
    raise AssertionError("stepped up after all")


async def step_up_with_refresh_token():
    control(registeredScope="dropped", refreshTokens="always")
    return await step_up_once()


async def all_scopes_at_once():
    async with App(GIVEN["mcp_everything"]) as app:
        await app.call("createIssue", {"title": "at once"})
        assert app.logins == 1
        return "one login"


async def refresh():
    control(seconds=2)
    async with App() as app:
        await app.call("whoami")
        control()
        await asyncio.sleep(2.1)
        assert (await app.call("whoami"))["user"] == "alice"
        assert app.logins == 1, app.logins
        granted = [event["grant"] for event in control() if event["kind"] == "granted"]
        assert granted and set(granted) == {"refresh_token"}, granted
        return "asks for offline_access by itself"


async def login_again():
    control(seconds=2)
    async with App(refresh=False) as app:
        await app.call("whoami")
        assert app.storage.tokens.refresh_token is None
        await asyncio.sleep(2.1)
        assert (await app.call("whoami"))["user"] == "alice"
        assert app.logins == 2, app.logins
        return "logged in twice"


async def api_token():
    async with App(headers={"Authorization": basic()}, oauth=False) as app:
        who = await app.call("whoami")
        assert (who["user"], who["method"]) == ("alice", "api_token"), who
        return who["method"]


async def api_key():
    async with App(headers={"Authorization": f"Bearer {GIVEN['tokens']['service']}"}, oauth=False) as app:
        who = await app.call("whoami")
        assert (who["user"], who["organization"]) == ("build-bot", "acme"), who
        return who["method"]


async def stream():
    steps = []

    async def progress(done, total, message):
        steps.append(done)

    async with App() as app:
        result = await app.call("watch", progress_callback=progress)
        assert (steps, result["steps"]) == ([1, 2, 3], 3), (steps, result)
        return "three events before the result"


async def switched_off():
    async with App(headers={"Authorization": basic()}) as app:
        assert (await app.call("whoami"))["method"] == "api_token"
        assert app.logins == 0
        api_tokens("off")
        said = "the header stays where it is: a login wins over it"
        try:
            who = await app.call("whoami")
        except Exception as error:
            if GIVEN["protocol"] != "2025-11-25" or "session" not in str(error).lower():
                raise
            said = {"but": f"the program must start a new session after the login: the SDK says \"{error}\""}
            await app.connect()
            who = await app.call("whoami")
        assert (who["user"], who["method"], app.logins) == ("alice", "oauth2", 1), (who, app.logins)
        return said


FLOWS = {
    flow.__name__: flow
    for flow in [
        login, client_document, step_up, step_up_strict, step_up_with_refresh_token, all_scopes_at_once, refresh, login_again,
        api_token, api_key, stream, switched_off,
    ]
}

try:
    said = asyncio.run(FLOWS[sys.argv[1]]())
    # A note, or what users must know.
    result = {"ok": True, **(said if isinstance(said, dict) else {"note": said})}
except ClientLimit as limit:
    result = {"ok": False, "limit": str(limit)}
except BaseException as error:
    result = {"ok": False, "error": "".join(traceback.format_exception(error))}
print(json.dumps(result), flush=True)
sys.exit(0 if result["ok"] or "limit" in result else 1)
