import { serviceDesc } from "@bufbuild/protobuf/codegenv2";
import { Auth, Retry } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { createEchoFile, type EchoService } from "../../platform/rpc/testing/echo-service.ts";

const policy = { auth: Auth.PUBLIC, deadlineMs: 10_000, retry: Retry.NEVER };

/** An echo that is not retried and has time: what is late shows as late, not as an error. */
export const PatientEcho = serviceDesc(
  createEchoFile("ferry/test/v1/patient_echo.proto", [{ name: "Echo", policy }]),
  0,
) as typeof EchoService;
