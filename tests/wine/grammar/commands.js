// What a PowerShell script holds, by tree-sitter's grammar:  node commands.js FILE...  prints a JSON object a file.
import fs from "fs";
import { createRequire } from "module";
import { Language, Parser } from "web-tree-sitter";

const require = createRequire(import.meta.url);
await Parser.init();
const grammar = require.resolve("tree-sitter-powershell/package.json").replace("package.json", "tree-sitter-powershell.wasm");
const parser = new Parser();
parser.setLanguage(await Language.load(grammar));

for (const file of process.argv.slice(2)) {
    const tree = parser.parse(fs.readFileSync(file, "utf8"));
    const found = { file, errors: [], commands: [], invoked: [], expandable: [], members: [] };
    const visit = (node) => {
        if (node.isError || node.isMissing) found.errors.push(`${node.startPosition.row + 1}: ${node.text.slice(0, 60)}`);
        if (node.type === "command") {
            const name = node.childForFieldName("command_name") ?? node.children.find((child) => child.type.startsWith("command_name"));
            const elements = node.children.find((child) => child.type === "command_elements");
            const parameters = (elements?.children ?? []).filter((child) => child.type === "command_parameter");
            const operator = node.children.find((child) => child.type === "command_invokation_operator");
            if (operator) found.invoked.push(operator.text + " " + name.text.split("\n")[0]);
            else found.commands.push({ name: name.text, parameters: parameters.map((child) => child.text) });
        }
        if (node.type === "expandable_string_literal" || node.type === "expandable_here_string_literal") found.expandable.push(node.text);
        if (node.type === "member_name") found.members.push(node.text);
        node.children.forEach(visit);
    };
    visit(tree.rootNode);
    console.log(JSON.stringify(found));
}
