// Why there is no document of routes that come to more than any reader takes.
import { UserError } from "../../kit/text/user-error.js";

export class DocumentTooLarge extends UserError {
  constructor(why: string) {
    super(`the OpenAPI document of all these routes is too large (${why}): ask for one service or version`);
  }
}
