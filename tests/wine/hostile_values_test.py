#!/usr/bin/env python3
"""Hostile values reach PowerShell, and come back, byte for byte as data: in every text parameter of every cmdlet that the
shim calls, and in the arguments of the program itself."""
import json
import unittest

from scenario import Scenario
from wine import BUILD

QUOTES = ["'", '"', "`", "''", '""', "``", "\u2018", "\u2019", "\u201a", "\u201b", "\u201c", "\u201d", "\u201e", "\u2032",
          "\uff07", "\uff02", "\u00b4", "'@", '"@', "@'", '@"\n']
CODE = ["$(calc)", "$env:TEMP", "${x}", "$null", "; calc", "| calc", "& calc", "&& calc", "`n", "`0", "`$(calc)", "{0}",
        "{0:x4}", "%TEMP%", "!x!", "^&", "#", "<#", "#>", "--%", "-Command calc", "-EncodedCommand AAAA", "@{a=1}", "[void]",
        "(calc)", "'; calc; '", '"; calc; "', "\u2019; calc; \u2019", "$(\u201c\u201d)", "\\\"", "a\\", "a\\\\", "\\\\\"",
        "..\\..\\x", "file:///c:/x", "\\\\?\\C:\\x", "'$(", "$('", "~", "*", "?", "[a-z]"]
BYTES = ["\n", "\r\n", "\t", " ", "  leading", "trailing  ", "a\nb\nc", "\u0001\u0002\u001f", "\u007f", "\u0085", "\u2028\u2029",
         "\ufeff", "\ufffd", "\uffff", "é", "e\u0301", "日本語", "😀", "\U0010ffff", "\u202eabc", "\u200b", "/Date(1)/",
         "2026-11-24T00:00:00Z", "true", "null", "0x10", "1e400", "</script>", "eflow-shim:", "eflow-shim begin report",
         "{\"output\":[]}", "x" * 5000, "\\u0041", "\\/Date(1)\\/", "\u00a0"]
VALUES = QUOTES + CODE + BYTES
TEXTS = {"Provision-EflowVm": ["provisioningType", "scopeId", "registrationId", "identityCertPath", "identityPrivKeyPath",
                               "globalEndpoint"],
         "Copy-EflowVmFile": ["fromFile", "toFile"],
         "Invoke-EflowVmCommand": ["command"],
         "Deploy-Eflow": ["vswitchName", "ip4Address", "ip4GatewayAddress"]}


class Hostile(Scenario):
    def test_as_parameters_of_every_cmdlet(self):
        calls = []
        for number, value in enumerate(VALUES):
            # Every value in every field of the call that matters most, every fifth in those of the others.
            for cmdlet, names in TEXTS.items() if number % 5 == 0 else [("Provision-EflowVm", TEXTS["Provision-EflowVm"])]:
                # Another value in each field, so that none could be taken for its neighbour.
                parameters = {name: VALUES[(number + place * 7) % len(VALUES)] for place, name in enumerate(names)}
                if cmdlet == "Deploy-Eflow":
                    parameters["acceptEula"] = value
                calls.append({"cmdlet": cmdlet, "parameters": parameters})
            if number % 5 == 0:
                calls.append({"cmdlet": "Set-EflowVmDNSServers", "parameters": {"dnsServers": [value, VALUES[number - 1]]}})

        def echo(world):
            cmdlet, parameters = world.calls[-1]
            return [json.dumps(parameters, sort_keys=True)] + [v for v in parameters.values() if isinstance(v, str)], []
        for cmdlet in [*TEXTS, "Set-EflowVmDNSServers"]:
            self.world.hooks[cmdlet] = echo
        file = self.prefix.put("C:\\identity\\calls.json", json.dumps(calls).encode())
        out = file.with_name("out")
        with open(out, "wb") as sink:
            self.assertEqual(self.prefix.start(BUILD / "bin/call_driver.exe", "C:\\identity\\calls.json", stdout=sink).wait(300), 0)
        self.assertEqual([{"cmdlet": cmdlet, "parameters": parameters} for cmdlet, parameters in self.world.calls], calls)
        answers = [json.loads(line) for line in out.read_text().splitlines()]
        for call, answer in zip(calls, answers, strict=True):
            self.assertFalse(answer["failed"])
            self.assertEqual(json.loads(answer["output"][0]), call["parameters"])
            self.assertEqual(answer["output"][1:], [v for _, v in sorted(call["parameters"].items()) if isinstance(v, str)])
        proven = sum(len(call["parameters"]) for call in calls)
        self.assertGreaterEqual(proven, 500)
        print(f"{len(VALUES)} values, {proven} fields, {len(calls)} calls")

    def test_as_arguments_of_the_program(self):
        # A value that no identifier could be is refused with itself in the report, and PowerShell never hears of it.
        values = [value for value in VALUES if "\0" not in value and len(value) < 200][::8]
        for value in values:
            arguments = self.identity()
            arguments[5] = "C:\\nowhere\\" + value
            self.world.requests.clear()
            result = self.shim("provision", *arguments)
            self.assertEqual(result.code, 3, value)
            self.assertTrue(result.finding("identity.cert-readable")["detail"].startswith("C:\\nowhere\\" + value + ": "), value)
            self.assertEqual(self.world.calls, [])
            self.assertEqual([set(json.loads(bytes.fromhex(request["stdin"]))) for request in self.world.requests], [{"marker"}])


if __name__ == "__main__":
    unittest.main()
