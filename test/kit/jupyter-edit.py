"""jupyter-edit.py <text> <document, base64>: writes the text into the first cell of a notebook's Y document; prints the change, base64."""
import base64
import sys

from pycrdt import Array, Doc

text, document = sys.argv[1:]
doc = Doc()
cells = doc.get("cells", type=Array)
doc.apply_update(base64.b64decode(document))
before = doc.get_state()
source = cells[0]["source"]
source += text
print(base64.b64encode(doc.get_update(before)).decode())
