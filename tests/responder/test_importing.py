"""Inventories from other people's files: what is taken in, what is told, what is refused."""

from __future__ import annotations

import csv
import io
import ipaddress
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.inventory import CRITICALITIES, Asset, Inventory
from responder.errors import Permanent
from responder.importing import FORMATS, Imported, read_inventory
from responder.sensors import recorded_lines
from responder.sensors.line import address

Read = Callable[[str, str | bytes], Imported]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    path = tmp_path_factory.mktemp("given") / "file"

    def imported(format: str, content: str | bytes) -> Imported:
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return read_inventory(path, format)

    return imported


def refusal(read: Read, format: str, content: str | bytes) -> str:
    with pytest.raises(Permanent) as refused:
        read(format, content)
    return str(refused.value).rpartition("/")[2]


# ---------------------------------------------------------------- tables

TABLE = """\
id,zone,criticality,protected,addresses,names,pool
web-1,dmz,High,yes,203.0.113.5; 2001:DB8::5,www;web,fronts
db-1,,,,10.0.0.7,,
"""


def test_a_table_is_read(read: Read) -> None:
    made = read("csv", TABLE)
    web = Asset(
        "web-1", "dmz", 2, True, ("203.0.113.5", "2001:db8::5"), ("www", "web"), pool="fronts"
    )
    assert made.inventory.assets == (web, Asset("db-1", "default", 1, False, ("10.0.0.7",)))
    assert not made.left_out


def test_a_table_from_a_spreadsheet(read: Read) -> None:
    made = read("csv", b"\xef\xbb\xbf Zone ,ID\r\na, b\r\n,\r\n")
    assert made.inventory.assets == (Asset("b", "a"),)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "file:1: no header; it names the columns: id,zone,criticality"),
        ("web-1,dmz\n", "file:1: header: unknown column 'web-1'"),
        ("id;zone\nweb-1;dmz\n", "file:1: header: unknown column 'id;zone'"),
        ("id,adresses\n", "did you mean 'addresses'?"),
        ("id,zone,id\n", "file:1: header: two columns are called id"),
        ("zone\ndmz\n", "file:1: header: no column is called id"),
        ("id,zone\n\nweb-1\n", "file:3: 1 cells under a header of 2"),
        ("id,zone\n,dmz\n", "file:2: id: expected a printable name"),
        ('id,names\n"a","x\n;y"\nb,z,\n', "file:4: 3 cells under a header of 2"),
        ("id,criticality\na,huge\n", "file:2: criticality: 'huge' is not one of low, medium"),
        ("id,protected\na,maybe\n", "file:2: protected: expected true or false, got 'maybe'"),
        ("id,addresses\na,10.0.0\n", "file:2: addresses[0]: '10.0.0' does not appear to be"),
        ("id,addresses\na,10.0.0.1 10.0.0.2\n", "file:2: addresses[0]: '10.0.0.1 10.0.0.2'"),
        ('id\na\n"b\n', "file:3: not CSV: unexpected end of data"),
        (b"id\na\n\xff\n", "file:3: not UTF-8"),
        ("id\n" + "a" * 200_000, "file:2: not CSV: field larger than field limit (131072)"),
        ("id\n" + "a" * 201, "file:2: id: expected a printable name of 1 to 200 characters"),
        ("id\n", "file: no host to import"),
        ("id\n" + "a\n" * 20_001, "file:20002: more than 20,000 hosts; import the file in parts"),
        (b"\n" * (16 << 20) + b"\n", "file: larger than 16 MiB; import it in parts"),
    ],
    ids=str.split(
        "empty no-header semicolons misspelt twice no-id short-row no-name long-row criticality "
        "protected address addresses quote utf-8 huge-cell long-name no-rows many large"
    ),
)
def test_a_table_is_refused_by_line(read: Read, table: str | bytes, message: str) -> None:
    assert message in refusal(read, "csv", table)


def test_the_first_keeps_what_two_claim(read: Read) -> None:
    made = read(
        "csv",
        "id,addresses,names\n"
        "a,10.0.0.1;10.0.0.1,Alpha;b\n"
        "b,10.0.0.1;10.0.0.2,alpha;b\n"
        "A,10.0.0.3,gamma\n"
        "c,10.0.0.3,gamma\n",
    )
    assert made.inventory.assets == (
        Asset("a", "default", addresses=("10.0.0.1",), names=("Alpha",)),
        Asset("b", "default", addresses=("10.0.0.2",), names=("b",)),
        Asset("c", "default", addresses=("10.0.0.3",), names=("gamma",)),
    )
    assert [(e.where, e.what, e.why) for e in made.left_out] == [
        ("line 4", "A", "another host has this id already"),
        ("line 2", "b", "b has it already, so a does without"),
        ("line 3", "10.0.0.1", "a has it already, so b does without"),
        ("line 3", "alpha", "a has it already, so b does without"),
    ]


printable = st.text(
    st.characters(blacklist_categories=("C", "Z"), blacklist_characters=";"),
    min_size=1,
    max_size=20,
)
addresses = st.ip_addresses().map(str)
assets = st.builds(
    Asset,
    id=printable,
    zone=printable,
    criticality=st.integers(0, len(CRITICALITIES) - 1),
    protected=st.booleans(),
    addresses=st.lists(addresses, max_size=3, unique=True).map(tuple),
    names=st.lists(printable, max_size=3, unique_by=str.lower).map(tuple),
    pool=st.just("") | printable,
)


def apart(hosts: list[Asset]) -> bool:
    """No name or address is of two."""
    known = [{n.lower() for n in (a.id, *a.names, *a.addresses)} for a in hosts]
    return sum(map(len, known)) == len(set().union(*known))


@given(hosts=st.lists(assets, min_size=1, max_size=5).filter(apart), shuffled=st.randoms())
def test_any_table_is_read_as_it_was_written(
    read: Read, hosts: list[Asset], shuffled: object
) -> None:
    columns = ["id", "zone", "criticality", "protected", "addresses", "names", "pool"]
    shuffled.shuffle(columns)  # type: ignore[attr-defined]
    file = io.StringIO()
    rows = csv.DictWriter(file, columns)
    rows.writeheader()
    for a in hosts:
        rows.writerow(
            {
                "id": a.id,
                "zone": a.zone,
                "criticality": CRITICALITIES[a.criticality],
                "protected": str(a.protected),
                "addresses": "; ".join(a.addresses),
                "names": ";".join(a.names),
                "pool": a.pool,
            }
        )
    made = read("csv", file.getvalue())
    assert made.inventory == Inventory(tuple(hosts))
    assert not made.left_out


# ---------------------------------------------------------------- scans

# As nmap 7.94 writes it, shortened.
SCAN = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<?xml-stylesheet href="file:///usr/bin/../share/nmap/nmap.xsl" type="text/xsl"?>
<nmaprun scanner="nmap" args="nmap -oX - 10.0.0.0/29" start="1700000000" version="7.94">
<hosthint><status state="up" reason="arp-response"/>
<address addr="10.0.0.1" addrtype="ipv4"/><hostnames/></hosthint>
<host starttime="1700000000" endtime="1700000009"><status state="up" reason="arp-response"/>
<address addr="10.0.0.1" addrtype="ipv4"/>
<address addr="52:54:00:12:34:56" addrtype="mac" vendor="QEMU virtual NIC"/>
<hostnames><hostname name="gate.example" type="user"/><hostname name="fw.example" type="PTR"/>
</hostnames>
<ports><port protocol="tcp" portid="22"><state state="open"/><service name="ssh"/></port></ports>
<trace><hop ttl="1" ipaddr="10.0.0.9" host="hop.example"/></trace>
</host>
<host><status state="down" reason="no-response"/><address addr="10.0.0.2" addrtype="ipv4"/>
<hostnames><hostname name="gone.example" type="PTR"/></hostnames></host>
<host><status state="up"/><address addr="2001:DB8::3" addrtype="ipv6"/><hostnames/></host>
<runstats><hosts up="2" down="1" total="3"/></runstats>
</nmaprun>
"""


def scanned(*hosts: str) -> str:
    return f"<nmaprun>{''.join(hosts)}</nmaprun>"


def host(addresses: list[str], names: list[str], state: str = "up") -> str:
    said = [f'<host><status state="{state}"/>']
    for a in addresses:
        family = f"ipv{ipaddress.ip_address(a).version}"
        said.append(f'<address addr="{a}" addrtype="{family}"/>')
    said.append("<hostnames>")
    said += [f'<hostname name={quoteattr(n)} type="PTR"/>' for n in names]
    return "".join(said) + "</hostnames></host>"


def test_a_scan_is_read(read: Read) -> None:
    made = read("nmap", SCAN)
    gate = Asset("gate.example", "default", addresses=("10.0.0.1",), names=("fw.example",))
    nameless = Asset("2001:db8::3", "default", addresses=("2001:db8::3",))
    assert made.inventory.assets == (gate, nameless)
    assert not made.left_out


def test_names_of_a_scan_that_cannot_be_are_told(read: Read) -> None:
    made = read(
        "nmap",
        scanned(
            host(["10.0.0.1"], ["10.0.0.2"]),
            host(["10.0.0.2"], ["x" * 201]),
            host(["10.0.0.3"], ["same.example"]),
            host(["10.0.0.4"], ["Same.example"]),
            host([], ["unseen.example"]),
            host(["10.0.0.3"], ["same.example"]),
            host(["10.0.0.3", "10.0.0.5"], []),
        ),
    )
    known = {a.id: (a.addresses, a.names) for a in made.inventory.assets}
    assert known == {
        "10.0.0.1": (("10.0.0.1",), ()),
        "10.0.0.2": (("10.0.0.2",), ()),
        "same.example": (("10.0.0.3",), ()),
        "10.0.0.4": (("10.0.0.4",), ()),
        "10.0.0.5": (("10.0.0.5",), ()),
    }
    assert [e.why for e in made.left_out] == [
        "an address where a name should be",
        "expected a printable name of 1 to 200 characters",
        "a host without address",
        "all of it is other hosts' already",
        "same.example has it already, so 10.0.0.4 does without",
        "same.example has it already, so 10.0.0.5 does without",
    ]


BOMB = """\
<!DOCTYPE nmaprun [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<nmaprun><host><status state="&b;"/></host></nmaprun>
"""


@pytest.mark.parametrize(
    ("scan", "message"),
    [
        (BOMB, "file:1: declares entities, as nmap never does"),
        ("<!DOCTYPE nmaprun [\n<!ATTLIST host a CDATA 'x'>]>\n<nmaprun/>", "file:1: declares"),
        ("", "file:1: not XML: no element found; scan with -oX"),
        ("# Nmap 7.94 scan initiated\n", "file:1: not XML: not well-formed (invalid token)"),
        ("<html>\n</html>", "file:1: begins with 'html', not with nmaprun; scan with -oX"),
        (SCAN.partition("<runstats>")[0], "file:18: not XML: no element found"),
        (scanned("\n<host><address addr='10.0' addrtype='ipv4'/>"), "file:2: '10.0' is not an"),
        ("<nmaprun>" + "<a>" * 64, "file:1: nested more than 64 deep"),
        ("<?xml version='1.0' encoding='rot13'?><nmaprun/>", "file:1: not XML: "),
        ("<?xml version='1.0' encoding='utf-7'?><nmaprun/>", "file:1: not XML: "),
        (scanned(), "file: no host to import"),
        (scanned(host(["10.0.0.1"], [], "down")), "file: no host to import"),
        (scanned(*(host([f"10.0.{i >> 8}.{i & 255}"], []) for i in range(20_001))), "20,000"),
    ],
    ids=str.split(
        "bomb attributes empty text html cut address deep rot13 utf-7 no-host all-down many"
    ),
)
def test_a_scan_is_refused_by_line(read: Read, scan: str, message: str) -> None:
    assert message in refusal(read, "nmap", scan)


def test_what_a_document_type_names_is_not_fetched(read: Read, tmp_path: Path) -> None:
    secret = tmp_path / "secret.dtd"
    secret.write_text('<!ENTITY a "secret"><!ATTLIST host b CDATA "c">')
    document_type = f'<!DOCTYPE nmaprun SYSTEM "{secret.as_uri()}">'
    made = read("nmap", document_type + scanned(host(["10.0.0.1"], []), "&a;"))
    assert made.inventory.assets == (Asset("10.0.0.1", "default", addresses=("10.0.0.1",)),)


hosts = st.lists(
    st.tuples(
        st.lists(addresses, max_size=3),
        st.lists(st.text(st.characters(blacklist_categories=("Cs", "Cc"))) | addresses, max_size=3),
        st.sampled_from(["up", "down", "unknown"]),
    ),
    max_size=6,
)


@given(found=hosts)
def test_any_scan_makes_every_live_address_known(
    read: Read, found: list[tuple[list[str], list[str], str]]
) -> None:
    live = [h for h in found if h[2] == "up" and h[0]]
    content = scanned(*(host(*h) for h in found))
    if not live:
        assert "no host to import" in refusal(read, "nmap", content)
        return
    made = read("nmap", content)
    known = made.inventory.asset_index
    assert all(known(address(a)) is not None for h in live for a in h[0])
    refused = {e.what for e in made.left_out}
    names = {n for h in live for n in h[1] if not address(n)} - refused
    assert all(known(n) is not None for n in names if len(n) <= 80 and n.isprintable() and n)


@given(junk=st.binary(max_size=200), format=st.sampled_from(FORMATS), cut=st.integers(0, 2000))
def test_junk_is_refused_or_read_and_never_crashes(
    read: Read, junk: bytes, format: str, cut: int
) -> None:
    whole = {"csv": TABLE, "nmap": SCAN, "kyoushi": SERVERS}[format].encode()
    at = cut % len(whole)
    for content in (junk, whole[:at] + junk + whole[at:], whole[:at]):
        try:
            made = read(format, content)
        except Permanent as refused:
            assert str(refused)
        else:
            assert Inventory.from_mapping(made.inventory.to_mapping()) == made.inventory


# ---------------------------------------------------------------- testbeds

SERVERS = """\
web:
  hostname: web-host
  groups: [servers, dmz]
  ipv4_addresses: [172.16.0.2]
  ipv6_addresses: ['FE80::2']
  fqdns: [www.example]
fire_wall:
  hostname: fire-wall
  groups: [firewall]
  ipv4_addresses: [172.16.0.1, 10.0.0.1]
attacker_0:
  groups: [attacker, internet]
  ipv4_addresses: [198.51.100.7]
"""


def test_a_testbed_is_read_without_its_attacker(read: Read) -> None:
    made = read("kyoushi", SERVERS)
    web = Asset(
        "web",
        "dmz",
        addresses=("172.16.0.2", "fe80::2"),
        names=("web-host", "web_host", "www.example"),
    )
    wall = Asset("fire_wall", "default", addresses=("172.16.0.1", "10.0.0.1"), names=("fire-wall",))
    assert made.inventory.assets == (web, wall)
    assert [e.what for e in made.left_out] == ["attacker_0"]


def test_what_is_told_moves_no_cursor(read: Read) -> None:
    made = read("kyoushi", SERVERS.replace("attacker_0", '"\\e[2J"'))
    assert [(e.where, e.what) for e in made.left_out] == [("'\\x1b[2J'", "'\\x1b[2J'")]


@pytest.mark.parametrize(
    ("servers", "message"),
    [
        ("[web]", "file:1: expected a mapping, got a list"),
        ("web: 7", "file:1: web: expected a mapping, got 7"),
        ("a: {}\nweb:\n  groups: dmz", "file:3: web.groups: expected a list, got text"),
        ("web:\n  ipv4_addresses: [10]", "file:1: web.addresses[0]: expected a printable name"),
        ("web: [", "file:1: not valid YAML"),
        ("{}", "file: no host to import"),
        ("".join(f"h{i}: {{}}\n" for i in range(20_001)), "file:20001: h20000: more than 20,000"),
    ],
    ids=str.split("list number groups address yaml empty many"),
)
def test_a_testbed_is_refused_by_line(read: Read, servers: str, message: str) -> None:
    assert message in refusal(read, "kyoushi", servers)


@pytest.mark.parametrize("scenario", ["fox", "russellmitchell", "santos", "shaw"])
def test_every_host_that_alerts_speak_of_is_known(shared_data: Path, scenario: str) -> None:
    """By the name and by the address that the alerts give it; and the attacker is unknown."""

    def rows() -> Iterator[tuple[str, str]]:
        for line in recorded_lines(folder / f"{scenario}_alerts.csv.xz"):
            _, address, name, *_ = line.decode().rsplit(",", 5)
            yield name, address

    folder = shared_data / "ait-ads"
    servers = folder / f"{scenario}_servers.yaml"
    known = read_inventory(servers, "kyoushi").inventory
    for name, own in set(rows()) - {("host", "ip")}:
        index = known.asset_index(name)
        assert index is not None
        assert known.asset_index(own) == index
    for name, entry in yaml.safe_load(servers.read_text("utf-8")).items():
        index = known.asset_index(name)
        assert (index is None) == ("attacker" in entry["groups"])
        for own in entry["ipv4_addresses"] + entry["ipv6_addresses"]:
            assert known.asset_index(own) == index
