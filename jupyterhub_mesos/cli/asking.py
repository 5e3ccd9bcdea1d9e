"""How a command reaches the capacity service: as its options say, else as the environment does."""

from __future__ import annotations

import argparse
import os

from jupyterhub_mesos.client import Client


def client(args: argparse.Namespace) -> Client:
    """Build the client from `--url` and `--token`, where they were given, and the environment."""
    env = dict(os.environ)
    if args.url:
        env["CAPACITY_API_URL"] = args.url
    if args.token:
        env["CAPACITY_TOKEN"] = args.token
    return Client.from_environment(env)
