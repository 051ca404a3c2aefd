"""What the runs find in an installation: a few objects of each sort, some to read and change, some to end.

Everything is made through the two APIs, as a user would. `Samples.ids` names by sort what stays, `Samples.doomed` what
may be deleted, so that a run that deletes leaves the others something to look at.
"""

import requests

UPSTREAM = {"nodes": [{"host": "127.0.0.1", "port": 9, "weight": 1}]}


class Samples:
    def __init__(self, admin, portal_api, username, password):
        self.admin, self.portal_api = admin, portal_api
        self.session = requests.Session()
        self.session.auth = (username, password)
        self.ids, self.doomed = {}, {}
        self.portal = self.call("GET", "/api/portals")["list"][0]["id"]
        self.access_token = self.make("/api/settings/tokens", {"name": "runs", "expires_at": 0})["token"]
        tokens = f"/api/portal/tokens?portal_id={self.portal}"
        self.portal_token = self.make(tokens, {"name": "runs"})["token"]
        self.developer = "runs"
        self.administered()
        self.of_gateways()
        self.of_developers()

    def call(self, method, path, body=None):
        answer = self.session.request(method, self.admin + path, json=body, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def make(self, path, body):
        return self.call("POST", path, body)["value"]

    def from_portal(self, method, path, body=None, developer=None):
        headers = {"Authorization": f"Bearer {self.portal_token}", "X-Portal-Developer-ID": developer or ""}
        answer = requests.request(method, self.portal_api + path, json=body, headers=headers, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def several(self, sort, make):
        """Three of a sort: one stays, two may go."""
        first, *others = [make(number) for number in range(3)]
        self.ids[sort], self.doomed[sort] = [first], others

    def administered(self):
        self.several("portals", lambda n: self.portal if n == 0 else self.make("/api/portals", {"name": f"p{n}"})["id"])
        invite = lambda n: self.make("/api/invites", {"username": f"user{n}", "password": "one-time-password"})["id"]
        self.several("users", invite)
        token = lambda n: self.make("/api/settings/tokens", {"name": f"t{n}", "expires_at": 0})["id"]
        self.several("access_tokens", token)
        tokens = f"/api/portal/tokens?portal_id={self.portal}"
        self.several("portal_tokens", lambda n: self.make(tokens, {"name": f"t{n}"})["id"])
        product = {"type": "gateway", "auth": {"key-auth": {}}, "status": "published"}
        products = f"/api/api_products?portal_id={self.portal}"
        self.several("products", lambda n: self.make(products, {**product, "name": f"product {n}"})["id"])
        plan = lambda n: self.make(
            "/api/forecourt/plans", {"api_product_id": self.ids["products"][0], "name": f"plan {n}", "limits": []}
        )["id"]
        self.several("plans", plan)
        options = self.call("GET", f"/api/portal/login_options?portal_id={self.portal}")["list"]
        self.ids["login_options"] = [options[0]["id"], "built_in"]

    def of_gateways(self):
        groups = lambda n: "default" if n == 0 else self.make("/api/gateway_groups", {"name": f"group {n}"})["id"]
        self.several("gateway_groups", groups)
        at = lambda noun: f"/apisix/admin/{noun}?gateway_group_id=default"
        service = lambda n: self.make(at("services"), {"name": f"service {n}", "upstream": UPSTREAM})["id"]
        self.several("services", service)
        kept = self.ids["services"][0]
        upstream = lambda n: self.make(at(f"services/{kept}/upstreams"), {"name": f"upstream {n}", **UPSTREAM})["id"]
        self.several("upstreams", upstream)
        route = lambda n: self.make(at("routes"), {"name": f"route {n}", "service_id": kept, "paths": [f"/{n}"]})["id"]
        self.several("routes", route)
        consumer = lambda n: self.make(at("consumers"), {"username": f"consumer{n}"})["username"]
        self.several("consumers", consumer)
        keys = at("consumers/consumer0/credentials")
        credential = lambda n: self.make(keys, {"plugins": {"key-auth": {"key": f"consumer-key-{n}"}}})["id"]
        self.several("consumer_credentials", credential)
        for noun in ["global_rules", "stream_routes"]:
            self.several(noun, lambda n: self.make(at(noun), {"name": f"{noun} {n}", "plugins": {}})["id"])
        self.call("PUT", "/apisix/admin/plugin_metadata/cors?gateway_group_id=default", {})
        self.ids["plugin_metadata"], self.doomed["plugin_metadata"] = ["cors"], ["cors"]
        token = lambda n: self.make("/api/gateway_groups/default/instance_token", None)["id"]
        self.several("instance_tokens", token)
        self.ids["nodes"] = [node["id"] for node in self.call("GET", "/api/forecourt/nodes")["list"]]

    def of_developers(self):
        make = lambda path, body: self.from_portal("POST", path, body, self.developer)
        named = lambda n: self.developer if n == 0 else f"runs-{n}"
        self.several("developers", lambda n: self.from_portal("POST", "/api/developers", {"developer_id": named(n)})["id"])
        self.several("applications", lambda n: make("/api/applications", {"name": f"application {n}"})["id"])
        keys = f"/api/applications/{self.ids['applications'][0]}/credentials"
        self.several("credentials", lambda n: make(keys, {"type": "key-auth", "name": f"key {n}"})["id"])
        applications = self.ids["applications"] + self.doomed["applications"]
        products = self.ids["products"] + self.doomed["products"]
        make("/api/subscriptions", {"applications": applications, "api_products": products})
        listed = self.from_portal("GET", "/api/subscriptions", developer=self.developer)["list"]
        approvals = self.from_portal("GET", "/api/approvals?status=pending")["list"]
        self.ids["subscriptions"] = [listed[0]["id"]]
        self.doomed["subscriptions"] = [row["id"] for row in listed[1:]]
        self.ids["approvals"] = [row["id"] for row in approvals]
