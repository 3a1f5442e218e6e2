"""Serves the JupyterLab that build.mjs bundled, on Debian's jupyter-server: server.py BUNDLE STATE [options of jupyter-server]

STATE is a folder for settings and workspaces.
"""
import os
import sys

from jupyterlab_server import LabServerApp


class Lab(LabServerApp):
    name = "gopherlens_lab"
    app_name = "JupyterLab"
    extension_url = default_url = "/lab"
    load_other_extensions = False
    app_version = "4.6"
    bundle, state = (os.path.abspath(p) for p in sys.argv[1:3])
    static_dir = templates_dir = os.path.join(bundle, "static")
    schemas_dir = os.path.join(bundle, "schemas")
    themes_dir = os.path.join(bundle, "themes")
    app_settings_dir = os.path.join(state, "app")
    user_settings_dir = os.path.join(state, "user")
    workspaces_dir = os.path.join(state, "workspaces")


def _jupyter_server_extension_points():
    return [{"module": __name__, "app": Lab}]


if __name__ == "__main__":
    Lab.launch_instance(argv=sys.argv[3:])
