"""The official Python SDK against the quickstart: logs in, is refused a tool, steps up, succeeds.

    cargo run --example quickstart -- --consent automatic
    pip install mcp==2.3.0
    python scripts/clients/step_up.py [http://127.0.0.1:8000/mcp]

The SDK does all of it by itself, but for the browser, which is played here.
"""

import asyncio
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/mcp"
CALLBACK = "http://127.0.0.1:3030/callback"


class Storage:
    """In memory."""

    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens
        print(f"  a token with the scopes: {tokens.scope}")

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client
        print(f"  registered as {client.client_id}")


class Browser:
    """Opens the login page. The quickstart consents at once, so the answer is a redirect."""

    async def open(self, page):
        asked = parse_qs(urlsplit(page).query)
        print(f"  the SDK opens the login page for: {asked['scope'][0]}")
        async with httpx2.AsyncClient() as client:
            answer = await client.get(page)
        self.back = parse_qs(urlsplit(answer.headers["location"]).query)

    async def returned(self):
        return AuthorizationCodeResult(**{name: values[0] for name, values in self.back.items()})


async def show(response):
    challenge = response.headers.get("www-authenticate", "")
    print(f"  {response.request.method} {response.request.url} -> {response.status_code} {challenge}")


async def main():
    browser = Browser()
    metadata = OAuthClientMetadata(redirect_uris=[CALLBACK], client_name="python-sdk")
    oauth = OAuthClientProvider(URL, metadata, Storage(), browser.open, browser.returned)
    async with httpx2.AsyncClient(auth=oauth, event_hooks={"response": [show]}) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            for name, arguments in [
                ("whoami", {}),
                ("createIssue", {"title": "By the Python SDK"}),
                ("whoami", {}),
                ("searchIssues", {"text": "By the Python SDK"}),
            ]:
                print(f"calling {name}")
                result = await client.call_tool(name, arguments)
                print(f"  {'error' if result.is_error else 'result'}: {result.structured_content}")
                if result.is_error:
                    sys.exit(f"{name} failed: {result.content}")
    scopes = oauth.context.current_tokens.scope.split()
    assert sorted(scopes) == ["read:issues", "write:issues"], scopes
    print("stepped up and succeeded")


asyncio.run(main())
