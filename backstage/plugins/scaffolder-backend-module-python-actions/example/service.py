"""A whole service with one action: python3 example/service.py [port]"""
import json, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREET = {"id": "example:greet", "description": "Greets a person, slowly.", "readOnly": True, "supportsDryRun": True,
         "input": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "seconds": {"type": "number"}}},
         "output": {"type": "object", "properties": {"greeting": {"type": "string"}}},
         "examples": [{"description": "Greet Ada", "input": {"name": "Ada"}}]}

def greet(input, dry_run):
    if not input["name"].strip():
        yield {"type": "error", "error": {"name": "InputError", "message": "must not be empty", "field": "input.name", "hint": "say who"}}
        return
    for second in range(int(0 if dry_run else input.get("seconds", 0))):
        yield {"type": "log", "level": "info", "message": f"thinking of {input['name']}, {second + 1} s"}
        time.sleep(1)
    yield {"type": "output", "output": {"greeting": f"Hello, {input['name']}!"}}

class Service(BaseHTTPRequestHandler):  # a real one checks the Authorization header
    def do_GET(self):
        self.send_lines([{"protocol": 1, "revision": "1", "actions": [GREET]}], "application/json")
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_lines(greet(body["input"], body["dryRun"]), "application/x-ndjson")
    def send_lines(self, objects, content_type):
        self.send_response(200); self.send_header("content-type", content_type); self.end_headers()
        for each in objects:
            self.wfile.write(json.dumps(each).encode() + b"\n")

ThreadingHTTPServer(("127.0.0.1", int((sys.argv + ["17008"])[1])), Service).serve_forever()
