"""The process that reads fetched pages: a hostile one can bring down no more than this."""

from pathlib import Path

from deepward.crawling.child import begin_child, tell
from deepward.crawling.texts import write_failure
from deepward.errors import UnreadableDocument
from deepward.files import write_json

__all__: list[str] = []


def main() -> None:
    """Reads the pages that the parent names, one after the other."""
    payload = begin_child()
    from deepward.knowledge.reading import read_bytes

    for job in payload["jobs"]:
        tell({"begun": job["text"], "ended": ""})
        row, path = job["row"], Path(job["text"])
        try:
            document = read_bytes(
                Path(job["body"]).read_bytes(),
                source=row["final_url"],
                origin="crawl",
                kind=row["kind"],
                content_type=row["content_type"],
                title=row["title"],
                date=row["date"],
                techniques=tuple(row["techniques"]),
            )
            write_json(path, {"document": document.as_dict()})
        except UnreadableDocument as error:
            write_json(path, {"reason": error.reason, "message": str(error)})
        except Exception as error:  # a fault of a reader on one page ends that page only
            write_failure(path, f"{type(error).__name__}: {error}")
        tell({"begun": "", "ended": job["text"]})


if __name__ == "__main__":
    main()
