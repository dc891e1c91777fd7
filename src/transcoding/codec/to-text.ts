// Protobuf bytes → JSON text: first the fast printer, which handles nearly all messages, then the general one.
import type { DescField } from "@bufbuild/protobuf";
import { AnyOrderPrinter } from "./any-order.js";
import type { Budget, BytesOut } from "./bytes-out.js";
import { DecodeError } from "./decode-error.js";
import { InOrderPrinter, OUT_OF_ORDER, UNUSUAL } from "./in-order.js";
import { type FieldPlan, type MessagePlan, type Plans, Shape } from "./plan.js";
import { NULL } from "./print.js";

export class TextPrinter {
  readonly #out: BytesOut;
  readonly #inOrder: InOrderPrinter;
  readonly #anyOrder: AnyOrderPrinter;
  /** Types that came out of order before: their services will do so again. */
  readonly #unordered = new WeakSet<MessagePlan>();

  constructor(plans: Plans, out: BytesOut) {
    this.#out = out;
    this.#anyOrder = new AnyOrderPrinter(plans, out);
    this.#inOrder = new InOrderPrinter(plans, out, this.#anyOrder);
  }

  /** Throws DecodeError, or BudgetExceeded. */
  print(plan: MessagePlan, bytes: Uint8Array, budget: Budget | undefined): Buffer {
    this.#print(plan, undefined, bytes, budget);
    return this.#out.take();
  }

  /** One field; its default if it is not set, null if it has presence. Throws like `print`. */
  printField(plan: MessagePlan, desc: DescField, bytes: Uint8Array, budget: Budget | undefined): Buffer {
    const field = plan.byNumber(desc.number);
    this.#print(plan, field, bytes, budget);
    if (this.#out.pos === 0 && field !== undefined) {
      const unset = field.shape === Shape.SINGULAR && !field.implicit;
      this.#out.raw(unset ? NULL : Buffer.from(field.zeroText()));
    }
    return this.#out.take();
  }

  #print(
    plan: MessagePlan,
    field: FieldPlan | undefined,
    bytes: Uint8Array,
    budget: Budget | undefined,
  ): void {
    this.#out.allow(budget);
    try {
      if (this.#unordered.has(plan) || !this.#printedInOrder(plan, field, bytes))
        this.#anyOrder.print(plan, field, bytes);
      this.#out.within();
    } catch (e) {
      this.#out.reset();
      if (!(e instanceof DecodeError)) throw e;
      throw new DecodeError(`these bytes cannot be printed as ${plan.typeName}: ${e.message}`, e);
    } finally {
      this.#out.allow(undefined);
    }
  }

  /** False: the bytes are not in order; or they have an error, which counts only if no later field replaces it. */
  #printedInOrder(plan: MessagePlan, field: FieldPlan | undefined, bytes: Uint8Array): boolean {
    try {
      if (field === undefined) this.#inOrder.print(plan, bytes);
      else this.#inOrder.printField(field, bytes);
      return true;
    } catch (e) {
      if (e === OUT_OF_ORDER) this.#unordered.add(plan);
      else if (e !== UNUSUAL && !(e instanceof DecodeError)) {
        this.#out.reset();
        throw e;
      }
      return false;
    } finally {
      this.#inOrder.forget();
    }
  }
}
