// NestJS 11 as a team sets it up for speed: Fastify below, ClientGrpc, a guard with @nestjs/jwt, a global ValidationPipe
// with class-validator, and the token's key as a KeyObject (BEST=1). As usually written the key is text, which
// jsonwebtoken then parses with each request. Decorators are applied by hand: this file is run as it is.
import "reflect-metadata";
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import common from "@nestjs/common";
import core from "@nestjs/core";
import jwt from "@nestjs/jwt";
import microservices from "@nestjs/microservices";
import platform from "@nestjs/platform-fastify";
import transformer from "class-transformer";
import validator from "class-validator";
import { firstValueFrom } from "rxjs";

const { BACKEND, PORT, PUBLIC_KEY_FILE, ISSUER, AUDIENCE, PROTO_FILE, PROTO_FOLDERS, BEST } = process.env;
const publicKeyPem = readFileSync(PUBLIC_KEY_FILE, "utf8");
const publicKey = BEST === "1" ? createPublicKey(publicKeyPem) : publicKeyPem;

/** Applies decorators as the compiler does for TypeScript with emitDecoratorMetadata. */
function decorate(target, property, type, ...decorators) {
  if (type !== undefined) Reflect.defineMetadata("design:type", type, target, property);
  for (const each of decorators.reverse()) each(target, property, Object.getOwnPropertyDescriptor(target, property));
}

class MoneyDto {}
decorate(MoneyDto.prototype, "currencyCode", String, validator.IsString(), validator.Matches(/^[A-Z]{3}$/));
decorate(MoneyDto.prototype, "minorUnits", String, validator.IsString(), validator.Matches(/^[1-9]\d{0,18}$/));

class BankAccountDto {}
decorate(BankAccountDto.prototype, "bankCode", String, validator.IsString(), validator.Matches(/^[0-9]{3}$/));
decorate(BankAccountDto.prototype, "accountNumber", String, validator.IsString(), validator.Matches(/^[0-9]{6,20}$/));

class CreateTransferDto {}
const nested = (type) => [validator.ValidateNested(), validator.IsDefined(), transformer.Type(() => type)];
decorate(CreateTransferDto.prototype, "sourceAccount", String, validator.IsString(), validator.Length(1, 64));
decorate(CreateTransferDto.prototype, "destination", BankAccountDto, ...nested(BankAccountDto));
decorate(CreateTransferDto.prototype, "amount", MoneyDto, ...nested(MoneyDto));
const memo = [validator.IsOptional(), validator.IsString(), validator.MaxLength(140)];
decorate(CreateTransferDto.prototype, "memo", String, ...memo);

const timeOf = ({ seconds, nanos }) => new Date(Number(seconds) * 1_000 + nanos / 1e6).toISOString();
const told = ({ transfer }) => ({
  ...transfer,
  createdAt: timeOf(transfer.createdAt),
  updatedAt: timeOf(transfer.updatedAt),
});

class JwtGuard {
  constructor(tokens) {
    this.tokens = tokens;
  }
  async canActivate(context) {
    const request = context.switchToHttp().getRequest();
    const { authorization } = request.headers;
    if (!authorization?.startsWith("Bearer ")) throw new common.UnauthorizedException();
    try {
      request.user = await this.tokens.verifyAsync(authorization.slice(7));
    } catch {
      throw new common.UnauthorizedException();
    }
    return true;
  }
}
Reflect.defineMetadata("design:paramtypes", [jwt.JwtService], JwtGuard);
common.Injectable()(JwtGuard);

/** HTTP status by google.rpc.Code. */
const STATUS = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

class AllErrors {
  catch(error, host) {
    const reply = host.switchToHttp().getResponse();
    if (error instanceof common.HttpException) reply.status(error.getStatus()).send(error.getResponse());
    else if (typeof error?.code === "number")
      reply.status(STATUS[error.code] ?? 500).send({ code: error.code, message: error.details });
    else reply.status(500).send({ code: 13, message: "internal" });
  }
}
common.Catch()(AllErrors);

const metadataOf = ({ user }) => {
  const metadata = new grpc.Metadata();
  metadata.set("x-subject", user.sub);
  return metadata;
};
const withDeadline = () => ({ deadline: Date.now() + 5_000 });

class TransfersController {
  constructor(client) {
    this.client = client;
  }
  onModuleInit() {
    this.service = this.client.getService("TransferService");
  }
  async get(transferId, request) {
    return told(await firstValueFrom(this.service.getTransfer({ transferId }, metadataOf(request), withDeadline())));
  }
  async create(transfer, request) {
    return told(await firstValueFrom(this.service.createTransfer(transfer, metadataOf(request), withDeadline())));
  }
}
const methods = TransfersController.prototype;
common.Inject("TRANSFERS")(TransfersController, undefined, 0);
common.Param("transferId")(methods, "get", 0);
common.Req()(methods, "get", 1);
common.Body()(methods, "create", 0);
common.Req()(methods, "create", 1);
Reflect.defineMetadata("design:paramtypes", [String, Object], methods, "get");
Reflect.defineMetadata("design:paramtypes", [CreateTransferDto, Object], methods, "create");
decorate(methods, "get", undefined, common.Get(":transferId"));
decorate(methods, "create", undefined, common.Post(), common.HttpCode(200));
common.UseGuards(JwtGuard)(TransfersController);
common.Controller("v1/transfers")(TransfersController);

class AppModule {}
common.Module({
  imports: [
    jwt.JwtModule.register({
      publicKey,
      verifyOptions: { algorithms: ["ES256"], issuer: ISSUER, audience: AUDIENCE },
    }),
    microservices.ClientsModule.register([
      {
        name: "TRANSFERS",
        transport: microservices.Transport.GRPC,
        options: {
          url: BACKEND,
          package: "bench.transfer.v1",
          protoPath: PROTO_FILE,
          loader: {
            includeDirs: PROTO_FOLDERS.split(":"),
            ...{ longs: String, enums: String, defaults: true, keepCase: false },
          },
        },
      },
    ]),
  ],
  controllers: [TransfersController],
})(AppModule);

const app = await core.NestFactory.create(AppModule, new platform.FastifyAdapter(), { logger: ["error"] });
app.useGlobalPipes(new common.ValidationPipe({ whitelist: true, transform: true }));
app.useGlobalFilters(new AllErrors());
await app.listen(Number(PORT), "127.0.0.1");
