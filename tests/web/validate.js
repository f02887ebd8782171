// Khronos' glTF validator: prints the issues of each file as one JSON object.
const fs = require("fs");
const validator = require("gltf-validator");

Promise.all(process.argv.slice(2).map((file) => validator.validateBytes(new Uint8Array(fs.readFileSync(file)))))
  .then((reports) => console.log(JSON.stringify(reports.map((report) => report.issues))));
