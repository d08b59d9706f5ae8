"""The drawn domains: portraits from a simulated camera, and four families of fakes of them."""

from deepward.demo.domains import make_demo_domains

__all__ = ["make_demo_domains"]
