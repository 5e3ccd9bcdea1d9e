// The Python that asks a model server, for a cell of the notebook.
import type { RequestView } from './wire';

/** Return the code for a server that has an address, else null. */
export function askingCode(view: RequestView): string | null {
  if (view.payload.kind !== 'serving' || view.url === null) {
    return null;
  }
  const server = new URL(view.url, window.location.href).href.replace(/\/$/, '');
  return `import json
import os
import urllib.request

MODEL = ${JSON.stringify(`${server}/v2/models/${view.payload.name}`)}
HEADERS = {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}


def ask(rows):
    """Send rows (an array) to the model server; return its answers by their names."""
    with urllib.request.urlopen(urllib.request.Request(MODEL, headers=HEADERS)) as answer:
        tensor = json.load(answer)["inputs"][0]
    sent = {"name": tensor["name"], "datatype": tensor["datatype"], "shape": list(rows.shape), "data": rows.tolist()}
    call = urllib.request.Request(MODEL + "/infer", json.dumps({"inputs": [sent]}).encode(), HEADERS)
    with urllib.request.urlopen(call) as answer:
        return {output["name"]: output["data"] for output in json.load(answer)["outputs"]}
`;
}
