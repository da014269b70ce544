import json, os, ssl, sys, time, urllib.error, urllib.parse, urllib.request

URL, TOKEN = os.environ["ORCH_URL"], os.environ["ORCH_TOKEN"]
# curl -K orch.curl $ORCH_URL/v1/bootstrap/cert >orch.pem: this one certificate is trusted, whatever the name.
TLS = ssl.create_default_context(cafile="orch.pem")
TLS.check_hostname = False


def ask(method, path, body=None, key=None, **query):
    """Returns the answer as a file. Raises RuntimeError with the code and the message of a refusal."""
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    if key:
        headers["idempotency-key"] = key
    data = None if body is None else json.dumps(body).encode()
    address = f"{URL}{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
    request = urllib.request.Request(address, data, headers, method=method)
    try:
        return urllib.request.urlopen(request, context=TLS)
    except urllib.error.HTTPError as refused:
        error = json.load(refused)["error"]
        raise RuntimeError(f"{error['code']}: {error['message']}") from None


def pages(path, name, **query):
    """Yields the items of a list, page by page."""
    while True:
        page = json.load(ask("GET", path, **query))
        yield from page[name]
        if page["next"] is None:
            return
        query["next"] = page["next"]


# Make a run: the key makes it one, also if this line is asked again after a lost answer.
job = {"run": "for n in 1 2 3; do echo step $n; sleep 1; done", "resources": {"cpu": 1}}
run = json.load(ask("POST", "/v1/runs", {"job": job}, key=f"example-{time.time()}"))["run"]

# Follow its output to its end. As long as the run waits for room, there is none: 409 `conflict` says why.
while True:
    try:
        with ask("GET", f"/v1/tasks/{run}/logs", follow="true") as log:
            for line in log:
                sys.stdout.write(line.decode(errors="replace"))
        break
    except RuntimeError as refused:
        if not str(refused).startswith("conflict"):
            raise
        time.sleep(0.5)


# Wait for its end.
def ended(run):
    while True:
        found = json.load(ask("GET", f"/v1/runs/{run}"))
        if found["state"] in ("succeeded", "failed", "cancelled"):
            return found
        time.sleep(0.5)


print("run", run, ended(run)["state"], ended(run)["exit_code"])

# Cancel another one.
long = json.load(ask("POST", "/v1/runs", {"job": {"run": "exec sleep 3600"}}))["run"]
ask("POST", f"/v1/runs/{long}/cancel")
print("run", long, ended(long)["state"])

# List nodes.
for node in pages("/v1/nodes", "nodes"):
    print("node", node["name"], node["state"], node["capacity"]["cpu_milli"] // 1000, "cores")

# Apply an app, and look at its tasks.
project = json.load(ask("GET", "/v1/me"))["project"]
spec = "app: hello\nservices:\n  web: { run: exec sleep 3600 }\n"
done = json.load(ask("PUT", f"/v1/apps/{project}/hello", {"text": spec}))
print("app", done["app"], [f"{change['change']} {change['name']}" for change in done["changes"]])
for task in pages("/v1/tasks", "tasks", app="hello"):
    print("task", task["name"], task["state"])
