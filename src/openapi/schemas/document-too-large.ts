// The error for routes whose document would be larger than any reader accepts.
import { UserError } from "../../kit/text/user-error.js";

export class DocumentTooLarge extends UserError {
  constructor(why: string) {
    super(`the OpenAPI document of all these routes is too large (${why}): ask for one service or version`);
  }
}
