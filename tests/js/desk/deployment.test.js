import assert from "node:assert/strict";
import { test } from "node:test";

import { SWITCH_GROUPS, addresses, shownValue, writtenValue } from "../../../src/guestwire/web/desk/core/deployment-fields.js";
import { emptyDesk, foldDesk, parseChange } from "../../../src/guestwire/web/desk/core/fold.js";
import { faultGroups, hasMarkdown } from "../../../src/guestwire/web/desk/core/selectors.js";
import { en } from "../../../src/guestwire/web/desk/locales/en.js";
import { NOW, conversation, snapshot } from "./support.js";

/** @import { Switch } from "../../../src/guestwire/web/desk/core/deployment-fields.js" */
/** @import { Fault } from "../../../src/guestwire/web/desk/core/types.js" */

const switches = SWITCH_GROUPS.flatMap((group) => group.switches);
/** @param {string} name @returns {Switch} */
const named = (name) => /** @type {Switch} */ (switches.find((one) => one.name === name));

test("every switch has its words, and what it needs is a switch", () => {
  assert.equal(new Set(switches.map((one) => one.name)).size, switches.length);
  for (const one of switches) {
    assert.ok(en.deployment.titles[one.name] && en.deployment.helps[one.name], one.name);
    for (const option of one.options ?? []) assert.ok(en.deployment.options[option], option);
    if (one.needs) assert.equal(named(one.needs.name).type, "toggle");
  }
  for (const group of SWITCH_GROUPS) assert.ok(en.deployment.groups[group.name]);
  assert.deepEqual(Object.keys(en.deployment.titles).toSorted(), switches.map((one) => one.name).toSorted());
});

test("values go to their fields and back", () => {
  const deployment = { allowedDomains: ["a.example", "b.example"], maxFileKb: 5, botName: "Otto" };
  assert.equal(shownValue(named("allowedDomains"), deployment), "a.example\nb.example");
  assert.equal(shownValue(named("maxFileKb"), deployment), "5");
  assert.equal(shownValue(named("botAvatar"), deployment), "");
  assert.deepEqual(writtenValue(named("allowedDomains"), " a.example ,b.example\n\n"), ["a.example", "b.example"]);
  assert.deepEqual([writtenValue(named("maxFileKb"), "10"), writtenValue(named("maxFileKb"), "1e3"), writtenValue(named("maxFileKb"), "")], [10, undefined, undefined]);
  assert.deepEqual([writtenValue(named("botAvatar"), " "), writtenValue(named("botName"), " Ottilie ")], [null, "Ottilie"]);
});

test("addresses follow from where the page is", () => {
  const found = Object.fromEntries(addresses("a b", "https://emu.example").map((one) => [one.name, one.value]));
  assert.deepEqual(found, {
    id: "a b",
    socket: "wss://emu.example/v1?deploymentId=a%20b",
    rest: "https://emu.example",
    config: "https://emu.example/webdeployments/v1/deployments/a%20b/config.json",
    domains: "https://emu.example/webdeployments/v1/deployments/a%20b/domains.json",
  });
  assert.equal(addresses("x", "http://127.0.0.1:1")[1]?.value, "ws://127.0.0.1:1/v1?deploymentId=x");
});

test("a change of the deployments is folded; texts are formatted where theirs says so", () => {
  const change = parseChange('{"type":"deployments","deployments":[{"id":"d","name":"D","markdown":true}]}');
  assert.ok(change);
  const desk = foldDesk(foldDesk(emptyDesk(), snapshot(), NOW), change, NOW);
  assert.equal(desk.deployments.length, 1);
  const fresh = foldDesk(emptyDesk(), snapshot({ deployments: [...desk.deployments] }), NOW);
  assert.deepEqual(desk, fresh);
  assert.ok(hasMarkdown(desk, conversation({ id: "c", deploymentId: "d" })));
  assert.ok(!hasMarkdown(desk, conversation({ id: "c" })));
  assert.equal(parseChange('{"type":"deployments"}'), undefined);
});

test("faults stand under their titles in the catalogue's order, and are found by their words", () => {
  /** @param {string} name @param {string} [group] @returns {Fault} */
  const fault = (name, group) => ({ name, title: name.toUpperCase(), help: `about ${name}`, kind: "switch", ...(group && { group }) });
  const faults = [fault("a", "One"), fault("b", "Two"), fault("c", "One"), fault("d")];
  assert.deepEqual(faultGroups(faults, "", "Others").map((one) => [one.title, one.faults.map((each) => each.name)]),
    [["One", ["a", "c"]], ["Two", ["b"]], ["Others", ["d"]]]);
  assert.deepEqual(faultGroups(faults, " About C ", "Others").map((one) => one.faults.map((each) => each.name)), [["c"]]);
  assert.deepEqual(faultGroups(faults, "nothing", "Others"), []);
});
