// Registers with the Device SDK: node register.js PORT ROOT.pem SCOPE REGISTRATION-ID CHAIN.pem KEY.pem
// Prints {"state": …} or {"error": …}, as the SDK gave it.
"use strict";
const fs = require("fs");
const https = require("https");
const { Http: Base } = require("azure-iot-http-base");
const { Http } = require("azure-iot-provisioning-device-http");
const { ProvisioningDeviceClient } = require("azure-iot-provisioning-device");
const { X509Security } = require("azure-iot-security-x509");

const [port, root, scope, id, chain, key] = process.argv.slice(2);
const base = new Base();
base.setOptions({ ca: fs.readFileSync(root, "utf8"), http: { agent: new https.Agent({ port: Number(port) }) } });
const security = new X509Security(id, { cert: fs.readFileSync(chain, "utf8"), key: fs.readFileSync(key, "utf8") });
const client = ProvisioningDeviceClient.create("localhost", scope, new Http(base), security);
client.register((error, state) => {
    console.log(JSON.stringify(error ? { error: { name: error.name, message: error.message, body: error.responseBody } }
                                     : { state }));
});
