"""Writes docs/images/demo.png: Figure 2 of the report that `make demo` made."""

import base64
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent

if __name__ == "__main__":
    page = (ROOT / "demo" / "report" / "report.html").read_text(encoding="utf-8")
    figures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    picture = ROOT / "docs" / "images" / "demo.png"
    picture.parent.mkdir(exist_ok=True)
    picture.write_bytes(base64.b64decode(figures[0]))
