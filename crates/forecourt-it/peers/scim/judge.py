"""Judges the SCIM service at URL with scim2-tester: `judge.py URL`, the token on standard input.

Each line of its output is one check, as JSON. It fails where a check found an error, and where none was made.
"""

import json
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

address = sys.argv[1]
token = sys.stdin.read().strip()

# The trailing slash makes relative paths go below the address; a proxy of this environment is none of the story's.
with Client(base_url=address.rstrip("/") + "/", headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http:
    results = check_server(SyncSCIMClient(http))

for result in results:
    print(json.dumps({"status": result.status.name, "check": result.title, "reason": result.reason}))
failed = [result for result in results if result.status in (Status.ERROR, Status.CRITICAL)]
sys.exit(1 if failed or not results else 0)
