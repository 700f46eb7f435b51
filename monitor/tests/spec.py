#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Do doc/sluice.yaml, the headers and the module say the same? TAP.

    spec.py TOP

What has a number is compared by the compiler, in both directions; types are
compared with the comments of the header, and with what the module puts into its
messages and takes for a filter.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

TOP = pathlib.Path(sys.argv[1])
HEADERS = {name: (TOP / "uapi" / name).read_text(encoding="utf-8")
           for name in ("linux/sluice.h", "linux/sluice_netlink.h")}
MODULE = "".join(path.read_text(encoding="utf-8") for path in sorted((TOP / "kmod").glob("*.c")))
SPEC = yaml.safe_load((TOP / "doc/sluice.yaml").read_text(encoding="utf-8"))

# How the module puts an attribute of a type into a message.
PUTS = {
    "nla_put_u32": "u32", "nla_put_s32": "s32", "sluice_put_u64": "u64",
    "nla_put_flag": "flag", "sluice_put_flag": "flag", "sluice_put_text": "string",
    "nla_nest_start": "nest", "nla_put": "binary", "notice_put_u32": "u32", "notice_put": "u64",
}
POLICIES = {"NLA_U32": "u32", "NLA_U64": "u64", "NLA_NUL_STRING": "string"}

results = []


def same(name, mine, other):
    results.append(mine == other and bool(mine))
    print(f"{'' if results[-1] else 'not '}ok {len(results)} - spec: {name}")
    if not results[-1]:
        print(f"# only in the one: {sorted(set(mine) - set(other))}")
        print(f"# only in the other: {sorted(set(other) - set(mine))}")


def constant(prefix, name):
    return f"{prefix}{name}".upper().replace("-", "_")


def enumerators(header, enum):
    """Those that have names of the interface, in the header's order."""
    body = re.search(rf"enum {enum} {{(.*?)}};", HEADERS[header], re.S).group(1)
    return re.findall(r"^\s*(SLUICE_\w+)", re.sub(r"/\*.*?\*/", "", body, flags=re.S), re.M)


def numbered(entries, prefix, first=0):
    """{constant: number}; each that has none is one more than the one before."""
    numbers = {}
    for entry in entries:
        first = entry.get("value", first)
        numbers[constant(prefix, entry["name"])] = first
        first += 1
    return numbers


def compiled(header, names):
    """{constant: number} as the compiler has them; empty if it knows not all."""
    source = f"#include <stdio.h>\n#include <{header}>\nint main(void)\n{{\n" + "".join(
        f'printf("{name} %d\\n", (int){name});\n' for name in names) + "}\n"
    with tempfile.TemporaryDirectory() as work:
        program = f"{work}/numbers"
        if subprocess.run([os.environ.get("CC", "cc"), f"-I{TOP}/uapi", "-x", "c", "-", "-o", program],
                          input=source, text=True, check=False).returncode:
            return {}
        lines = subprocess.run([program], text=True, stdout=subprocess.PIPE, check=True).stdout
    return {name: int(number) for name, number in map(str.split, lines.splitlines())}


def check_enum(name, header, enum, numbers):
    same(f"{name}: names", list(numbers), enumerators(header, enum))
    same(f"{name}: numbers", numbers, compiled(header, numbers))


def check_definitions():
    for entry in SPEC["definitions"]:
        header = entry.get("header", SPEC["uapi-header"])
        check_enum(entry["name"], header, entry["enum-name"].replace("-", "_"),
                   numbered(entry["entries"], entry["name-prefix"]))


def attributes():
    return SPEC["attribute-sets"][0]["attributes"]


def check_attributes():
    prefix = SPEC["attribute-sets"][0]["name-prefix"]
    numbers = {constant(prefix, "unspec"): 0, **numbered(attributes(), prefix)}
    check_enum("attributes", SPEC["uapi-header"], "sluice_nl_attr", numbers)
    types = {constant(prefix, a["name"]): a["type"] for a in attributes() if a["type"] != "pad"}
    told = dict(re.findall(r"(SLUICE_NL_A_\w+),\s*/\* (\w+)", HEADERS[SPEC["uapi-header"]]))
    same("attributes: types in the header", types.items(), told.items())
    put = {(name, PUTS[how]) for how, name in re.findall(
        r"(\w+)\((?:(?:dump->)?skb|&?notice),\s*(SLUICE_NL_A_\w+)", MODULE) if how in PUTS}
    # The number of a channel or lockspace is given to a function, not named.
    put |= {("SLUICE_NL_A_CHANNEL", "u64"), ("SLUICE_NL_A_LOCKSPACE", "u64")}
    same("attributes: types that the module sends", set(types.items()), put)
    enums = {a["enum"] for a in attributes() if "enum" in a}
    same("attributes: what is counted is defined", enums, {d["name"] for d in SPEC["definitions"]})
    policy = {(name, POLICIES[how]) for name, how in re.findall(
        r"\[(SLUICE_NL_A_\w+)\]\s*= { \.type = (NLA_\w+)", MODULE)}
    filters = {constant(prefix, name) for operation in SPEC["operations"]["list"]
               for name in operation.get("dump", {}).get("request", {}).get("attributes", [])}
    same("filters: types", {(name, types[name]) for name in filters}, policy)


def check_operations():
    operations = SPEC["operations"]["list"]
    prefix = SPEC["operations"]["name-prefix"]
    check_enum("operations", SPEC["uapi-header"], "sluice_nl_cmd", numbered(operations, prefix))
    named = {a["name"] for a in attributes()}
    used = {name for operation in operations for part in
            (operation.get("dump", {}).get("reply"), operation.get("event")) if part
            for name in part["attributes"]}
    # In a blocker only, and for alignment.
    same("operations: each attribute is sent", used | {"queued", "pad"}, named)
    asked = {(constant(prefix, operation["name"]), name.upper()) for operation in operations
             for name in operation.get("dump", {}).get("request", {}).get("attributes", [])}
    applied = {(cmd, name) for cmd, body in re.findall(
        r"\.cmd = (SLUICE_NL_\w+),(.*?)^};", MODULE, re.S | re.M)
        for name in re.findall(r"SLUICE_DUMP_FILTER\((\w+)\)", body)}
    same("operations: filters of each", asked, applied)


def check_names():
    macros = dict(re.findall(r'#define (SLUICE_NL_\w+)\s+"(\w+)"', HEADERS[SPEC["uapi-header"]]))
    groups = {group["name"] for group in SPEC["mcast-groups"]["list"]}
    same("groups and the family", groups | {SPEC["name"]}, set(macros.values()))


check_definitions()
check_attributes()
check_operations()
check_names()
print(f"1..{len(results)}")
sys.exit(not all(results))
