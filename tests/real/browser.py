"""A person with a browser that has no pictures: opens a login page, picks an account, says yes."""

import http.client
import json
import threading
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

PAGES = 20  # more than any login has


class Form(HTMLParser):
    """The first form of a page: where it goes, and the options of its first choice."""

    def __init__(self, page):
        super().__init__()
        self.action, self.choice = None, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action = attributes["action"]
        if tag == "select" and self.choice is None:
            self.choice = attributes["name"]


class Browser:
    """Remembers cookies by host and port, as long as it lives."""

    def __init__(self):
        self.cookies = {}

    def ask(self, method, url, fields=None):
        parts = urlsplit(url)
        jar = self.cookies.setdefault(parts.netloc, {})
        headers = {"accept": "text/html"}
        # Cookies of a path go to what lies below it only.
        sent = [f"{name}={value}" for (name, path), value in jar.items() if parts.path.startswith(path)]
        if sent:
            headers["cookie"] = "; ".join(sent)
        body = None
        if fields is not None:
            body = urlencode(fields)
            headers["content-type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            for line in answer.headers.get_all("set-cookie") or []:
                for morsel in SimpleCookie(line).values():
                    key = (morsel.key, morsel["path"] or "/")
                    if morsel.value:
                        jar[key] = morsel.value
                    else:
                        jar.pop(key, None)
            return answer.status, answer.headers.get("location"), answer.read().decode()
        finally:
            connection.close()

    def visit(self, url, user="alice", decision="allow"):
        """Fills in forms and follows redirects until they leave the host; where to."""
        home = urlsplit(url).netloc
        method, fields, seen = "GET", None, []
        for _ in range(PAGES):
            status, location, page = self.ask(method, url, fields)
            seen.append(f"{method} {urlsplit(url).path} {status}")
            if location:
                url, method, fields = urljoin(url, location), "GET", None
                if urlsplit(url).netloc != home:
                    return url
                continue
            form = Form(page) if status == 200 else None
            if form is None or form.action is None:
                raise RuntimeError(f"no way on from {seen}: {page[:1500]}")
            url, method = urljoin(url, form.action), "POST"
            fields = {form.choice: user} if form.choice else {}
            fields["decision"] = decision
        raise RuntimeError(f"no end: {seen}")


class Service(ThreadingHTTPServer):
    """`GET /visit?url=…&user=…&jar=…`: where that ended, as JSON. One browser for each jar."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.browsers = {}
        self.visits = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        browser = self.server.browsers.setdefault(asked.get("jar", ""), Browser())
        try:
            scope = parse_qs(urlsplit(asked["url"]).query).get("scope", [""])[0]
            self.server.visits.append(scope)
            end = browser.visit(asked["url"], asked.get("user", "alice"), asked.get("decision", "allow"))
            status, answer = 200, {"location": end, "scope": scope}
        except Exception as error:  # the script that asked says it
            status, answer = 502, {"error": str(error)}
        answer = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass
