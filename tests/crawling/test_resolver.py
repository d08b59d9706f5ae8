"""Names that lead to private addresses lead nowhere, whatever they answer later."""

from types import SimpleNamespace

import pytest
from scrapy.resolver import dnscache
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver
from zope.interface import implementer

from deepward.crawling.guards import GuardedResolver, refused_names


@implementer(IHostnameResolver)
class Answers:
    """A name server that gives one list of addresses after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def resolveHostName(self, receiver, name, port=0, types=None, semantics="TCP"):
        receiver.resolutionBegan(None)
        for host in self.answers.pop(0):
            kind = IPv6Address if ":" in host else IPv4Address
            receiver.addressResolved(kind("TCP", host, port))
        receiver.resolutionComplete()


class Receiver:
    def __init__(self):
        self.hosts, self.complete = [], False

    def resolutionBegan(self, resolution):
        pass

    def addressResolved(self, address):
        self.hosts.append(address.host)

    def resolutionComplete(self):
        self.complete = True


@pytest.fixture
def ask():
    dnscache.data.clear() if hasattr(dnscache, "data") else dnscache.clear()
    refused_names.clear()

    def make(*answers, allow=()):
        resolver = GuardedResolver(SimpleNamespace(nameResolver=Answers(*answers)), 100)
        resolver.allow_private_hosts = allow

        def resolve(name):
            receiver = Receiver()
            resolver.resolveHostName(receiver, name, 80)
            assert receiver.complete
            return receiver.hosts

        return resolve

    return make


def test_public_addresses_pass(ask):
    assert ask(["93.184.216.34", "2606:4700::1111"])("a.example") == [
        "93.184.216.34",
        "2606:4700::1111",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "10.0.0.1"],
        ["2606:4700::1111", "::1"],
        ["169.254.169.254"],
        ["8.8.8.8", "::ffff:0:10.0.0.1"],
    ],
)
def test_one_private_address_refuses_the_name(ask, answer):
    assert ask(answer)("b.example") == []
    assert refused_names["b.example"] == answer[-1]


def test_a_name_that_changes_its_answer_keeps_its_first_or_leads_nowhere(ask):
    resolve = ask(["93.184.216.34"], ["127.0.0.1"])
    assert resolve("c.example") == ["93.184.216.34"]
    assert "127.0.0.1" not in resolve("c.example")
    dnscache.clear()
    assert resolve("c.example") == []


def test_a_test_may_allow_its_own_host(ask):
    assert ask(["127.0.0.1"], allow=("mine.example",))("mine.example") == ["127.0.0.1"]
