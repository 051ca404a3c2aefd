"""Requests made from OpenAPI documents, and whether the answers are what the documents say.

`run.py validate ADMIN_URL PORTAL_API_URL`: whether the documents served there are valid OpenAPI.
`run.py NAME ADMIN_URL PORTAL_API_URL PASSWORD FOLDER`: makes a few objects of each sort, then lets schemathesis try
every operation of one document: `admin` and `portal` as they are served, or `published`, the Portal API as its clients
know it. What schemathesis is told and what it found lies in FOLDER. The seed is fixed and so is the number of tries, so
a run can be repeated. The code is 0 where nothing was found.
"""

import json
import pathlib
import subprocess
import sys
import urllib.parse

import openapi_spec_validator
import requests
import yaml

from samples import Samples

PUBLISHED = pathlib.Path(__file__).parent / "published-portal-api.yaml"

# How many requests are made up for an operation, beside those of the other phases.
TRIES = {"admin": 1, "portal": 4, "published": 4}
# The coverage phase tries each edge of each member. On the 200 operations of the Admin API that alone takes longer than
# all the rest together; the published document describes a part of what `portal` does.
PHASES = {"admin": "examples,fuzzing", "portal": "examples,coverage,fuzzing", "published": "examples,fuzzing"}

# What the published document does not say and the rules of the API do: an application that is not there, or that
# belongs to another developer, is not found.
MORE_STATUSES = {
    ("/api/applications/{application_id}/credentials", "get"): "404",
    ("/api/applications/{application_id}/credentials", "post"): "404",
}

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
    # Left out, since the rules of the APIs say otherwise:
    # negative_data_rejection: unknown members and parameters are ignored, null and empty values count as absent.
    # positive_data_acceptance: a sound body may still name what is not there, or conflict with what is.
]

# Which samples a variable part of a path stands for, by the part before it.
SORTS = {
    "api_products": "products",
    "login_options": "login_options",
    "ssls": "certificates",
    "tokens": "portal_tokens",
}
# The same for parameters of the query.
QUERIED = {"portal_id": "portals", "gateway_group_id": "gateway_groups", "api_product_id": "products"}


def sort_of(path, name):
    """The sort of object that `{name}` in `path` stands for."""
    parts = path.split("/")
    before = parts[parts.index("{" + name + "}") - 1]
    if path.startswith("/api/settings/"):
        return "access_tokens"
    if before == "credentials":
        return "consumer_credentials" if path.startswith("/apisix/") else "credentials"
    return SORTS.get(before, before)


def resolved(document, value):
    """`value` without references into `paths`, which schemathesis does not follow, and without those to parameters."""
    if isinstance(value, list):
        return [resolved(document, item) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref", "")
    if not reference.startswith(("#/paths/", "#/components/parameters/")):
        return {name: resolved(document, member) for name, member in value.items()}
    target = document
    for part in urllib.parse.unquote(reference[2:]).split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        target = target[int(part)] if isinstance(target, list) else target[part]
    return resolved(document, target)


def with_samples(document, samples):
    """The document, where a parameter that names an object is as often as not one of the samples."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            parameters = operation.get("parameters", [])
            places = [parameter["name"] for parameter in parameters if parameter["in"] == "path"]
            for parameter in parameters:
                name = parameter["name"]
                if parameter["in"] == "path":
                    # Only what ends here may be deleted; what it hangs on stays for the others.
                    ends = method == "delete" and path.endswith("{" + name + "}")
                    known = (samples.doomed if ends else samples.ids).get(sort_of(path, name))
                else:
                    known = samples.ids.get(QUERIED.get(name))
                if known and parameter["schema"].get("type") != "array":
                    parameter["schema"] = {"anyOf": [{"type": "string", "enum": known}, parameter["schema"]]}
    return document


def settings(authentication):
    """What every run is told, as TOML."""
    lines = [
        "seed = 20261122\nworkers = 1\ncontinue-on-failure = true\n",
        "[generation]\nallow-x00 = true\n",
        "[phases.stateful]\nenabled = false\n",
    ]
    for scheme, value in authentication.items():
        lines.append(f"[auth.openapi.{scheme}]")
        lines += [f"{key} = {json.dumps(text)}" for key, text in value.items()]
    return "\n".join(lines) + "\n"


def run(name, document, url, authentication, headers, folder):
    """Tries every operation of `document`; the code of schemathesis."""
    described, configured = folder / f"{name}.json", folder / f"{name}.toml"
    # YAML knows times, of which examples are made; JSON does not.
    described.write_text(json.dumps(document, default=str))
    configured.write_text(settings(authentication))
    program = pathlib.Path(sys.executable).parent / "st"
    command = [program, "--config-file", configured, "run", described, "--url", url]
    command += ["--checks", ",".join(CHECKS), "--max-examples", str(TRIES[name])]
    command += ["--phases", PHASES[name], "--warnings", "off"]
    command += [part for header in headers for part in ("--header", header)]
    return subprocess.run(command, cwd=folder).returncode


def served(url):
    answer = requests.get(f"{url}/openapi.json", timeout=30)
    answer.raise_for_status()
    return answer.json()


def main():
    name, admin, portal_api, *rest = sys.argv[1:]
    if name == "validate":
        for url in (admin, portal_api):
            document = served(url)
            openapi_spec_validator.validate(document)
            print(f"{document['info']['title']}: valid OpenAPI {document['openapi']}")
        return 0
    password, folder = rest
    samples = Samples(admin, portal_api, "admin", password)
    token = {"bearer": samples.portal_token}
    if name == "admin":
        document, url, headers = served(admin), admin, []
        authentication = {"Token": {"api_key": samples.access_token}}
    elif name == "portal":
        document, url, headers = served(portal_api), portal_api, []
        authentication = {"PortalToken": token, "Developer": {"api_key": samples.developer}}
    else:
        document, url = yaml.safe_load(PUBLISHED.read_text()), portal_api
        for (path, method), status in MORE_STATUSES.items():
            responses = document["paths"][path][method]["responses"]
            assert status not in responses, f"{method} {path} has {status}: take it out here"
            responses[status] = {"$ref": f"#/components/responses/response{status}"}
        authentication = {"BearerAuth": token}
        # The published document does not mention the header that names the developer.
        headers = [f"X-Portal-Developer-ID: {samples.developer}"]
    document = with_samples(resolved(document, document), samples)
    return run(name, document, url, authentication, headers, pathlib.Path(folder).resolve())


if __name__ == "__main__":
    sys.exit(main())
