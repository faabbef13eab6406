import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { toConnectError } from "@ferry/platform/rpc";
import { until } from "../../test/support/until.ts";
import { createHarness, type Harness } from "../testing/harness.ts";
import { browserCommand, openPage, type Page } from "./testing/browser.ts";

const noBrowser = browserCommand === undefined && "no Chromium on this machine";
const LIST = "document.querySelector('#operations-Transfer-TransferService_ListTransfers')";

test("in a browser: log in, try a call, and nothing is asked for elsewhere", { skip: noBrowser }, async (t) => {
  const harness: Harness = await createHarness({
    answers: {
      CreateSession: ({ password }: { password: string }) => {
        if (password !== "right") throw toConnectError(new FerryError("CREDENTIALS_INVALID", "it is wrong"));
        return { accessToken: harness.bearer().slice(7), refreshToken: "r", tokenType: "Bearer", expiresIn: 600 };
      },
    },
  });
  for (const component of harness.components) await component.start?.();
  let opened: Page | undefined;
  t.after(async () => {
    await opened?.close();
    for (const component of harness.components) await component.stop?.();
  });
  const page = await openPage(browserCommand!, `http://127.0.0.1:${harness.port()}/docs`);
  opened = page;
  const says = (expression: string) =>
    until(expression, async () => ((await page.evaluate(expression)) === true ? true : undefined));

  await says("document.body?.dataset.ready === 'yes'");
  await says(`${LIST} !== null`);
  const logIn = (password: string) =>
    page.evaluate(`(() => {
      const form = document.querySelector("#log-in");
      form.elements.email.value = "ada@example.com";
      form.elements.password.value = ${JSON.stringify(password)};
      form.requestSubmit();
    })()`);
  await logIn("wrong");
  await says("document.querySelector('#log-in-state').value.startsWith('CREDENTIALS_INVALID')");
  await logIn("right");
  await says("document.querySelector('#log-in-state').value === 'Logged in as ada@example.com.'");

  await page.evaluate(`${LIST}.querySelector(".opblock-summary-control").click()`);
  await says(`${LIST}.querySelector(".btn.execute") !== null`);
  await page.evaluate(`${LIST}.querySelector(".btn.execute").click()`);
  const call = await until("the call", () => harness.seen.find(({ rpc }) => rpc === "ListTransfers"));
  assert.match(call.headers.get("authorization") ?? "", /^Bearer ey/);
  await says(
    `${LIST}.querySelector(".responses-table.live-responses-table tbody .response-col_status")?.textContent.includes("200")`,
  );

  const asked = await page.evaluate("performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin)");
  assert.deepEqual(new Set(asked as string[]), new Set([`http://127.0.0.1:${harness.port()}`]));
  const complaints = page.complaints.filter((text) => !text.includes("401")); // The wrong password.
  assert.deepEqual(complaints, []);
});
