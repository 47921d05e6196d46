"""What a PDF that Chromium wrote says: the text of each page, and its bookmarks.

Chromium writes plain objects, each text as the numbers of glyphs, and a table from these to Unicode for each font.
"""

import re
import zlib


class Pdf:
    """A PDF that Chromium wrote, by its objects."""

    def __init__(self, data: bytes):
        found = re.finditer(rb"(?<=\n)(\d+) 0 obj\n(.*?)\nendobj", data, re.S)
        self.objects = {int(m[1]): m[2] for m in found}
        self.is_tagged = b"/Marked true" in data
        self.glyphs = {}  # of each font that was asked for

    def stream(self, number: int) -> str:
        """The unpacked stream of an object."""
        head, _, body = self.objects[number].partition(b"stream\n")
        data = body.removesuffix(b"\nendstream")
        return (zlib.decompress(data) if b"/FlateDecode" in head else data).decode("latin1")

    def font(self, number: int) -> dict[str, str]:
        """What the glyphs of a font mean, by their numbers in hexadecimal."""
        if number not in self.glyphs:
            table = self.stream(int(re.search(rb"/ToUnicode (\d+)", self.objects[number])[1]))
            self.glyphs[number] = means = {}
            for block in re.findall(r"beginbfchar(.*?)endbfchar", table, re.S):
                for glyph, text in re.findall(r"<(\w+)> <(\w+)>", block):
                    means[glyph] = bytes.fromhex(text).decode("utf-16-be")
            for block in re.findall(r"beginbfrange(.*?)endbfrange", table, re.S):
                for first, last, text in re.findall(r"<(\w+)> <(\w+)> <(\w+)>", block):
                    for step in range(int(last, 16) - int(first, 16) + 1):
                        means[f"{int(first, 16) + step:04X}"] = chr(int(text, 16) + step)
        return self.glyphs[number]

    def pages(self) -> list[str]:
        """The text of each page, without any space."""
        return [self.text(page) for page in self.objects.values() if page.startswith(b"<</Type /Page\n")]

    def text(self, page: bytes) -> str:
        """The text of one page."""
        fonts = {name.decode(): int(number) for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", page)}
        font, said = {}, []
        for name, glyphs in re.findall(
            r"/(F\d+) \S+ Tf|<(\w+)>", self.stream(int(re.search(rb"/Contents (\d+)", page)[1]))
        ):
            if name:
                font = self.font(fonts[name])
            said += [font.get(glyphs[i : i + 4].upper(), "") for i in range(0, len(glyphs), 4)]
        return "".join("".join(said).split())

    def links(self) -> list[str]:
        """Where the links lead: an address, or # and the name of a place in the PDF."""
        notes = (text for text in self.objects.values() if text.startswith(b"<</Type /Annot\n/Subtype /Link"))
        targets = [re.search(rb"/URI (\(.*?\))>>|/Dest /(\S+)", text, re.S) for text in notes]
        return [self.string(target[1]) if target[1] else f"#{target[2].decode()}" for target in targets]

    def bookmarks(self) -> list[str]:
        """The bookmarks, without any space."""
        titles = (re.match(rb"<</Title (\(.*?\)|<.*?>)\n/Dest", text, re.S) for text in self.objects.values())
        return ["".join(self.string(title[1]).split()) for title in titles if title]

    @staticmethod
    def string(text: bytes) -> str:
        """A string of the PDF: hexadecimal, or characters of which some are escaped."""
        if text.startswith(b"<"):
            return bytes.fromhex(text[1:-1].decode()).decode("utf-16-be").removeprefix("\ufeff")
        return re.sub(rb"\\([()\\])", rb"\1", text[1:-1]).decode("latin1")
