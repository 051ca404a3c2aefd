"""A CAS server for stories: `python server.py FOLDER` serves on a free port and says `ready PORT`.

Its one person is `ada`, whose password is `ada` too. It keeps its tickets in FOLDER and lets every service on loopback,
and the console that stories know as https://admin.example.com, ask for one.
"""

import pathlib
import socketserver
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    CAS_AUTH_CLASS="cas_server.auth.TestAuthUser",
    CAS_NEW_VERSION_EMAIL_WARNING=False,
    CAS_NEW_VERSION_HTML_WARNING=False,
    CAS_TEST_ATTRIBUTES={"email": "ada@example.com", "givenName": "Ada", "sn": "Lovelace <King>"},
    CAS_TEST_PASSWORD="ada",
    CAS_TEST_USER="ada",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(pathlib.Path(sys.argv[1]) / "cas.sqlite"),
            "OPTIONS": {"timeout": 20},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "cas_server",
    ],
    LOGGING_CONFIG=None,
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a story",
    STATIC_URL="/static/",
    TEMPLATES=[
        {
            "APP_DIRS": True,
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    USE_TZ=True,
)
# The pages are looked for in this module, and can be loaded once the applications are.
django.setup()
urlpatterns = [path("cas/", include("cas_server.urls", namespace="cas_server"))]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def main():
    call_command("migrate", verbosity=0)
    from cas_server.models import ServicePattern

    pattern = ServicePattern.objects.create(name="story", pattern=r"^(http://127\.0\.0\.1:|https://admin\.example\.com/)")
    pattern.attributs.create(name="*", replace="")
    server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
    print(f"ready {server.server_port}", flush=True)
    server.serve_forever()


main()
