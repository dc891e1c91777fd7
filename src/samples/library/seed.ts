// The initial books of the library: real ones, so that every route returns something interesting.
import { type Author, type BookContent, DEFAULT_LOAN_SECONDS, type Genre } from "./book.js";

/** id, title, authors as `Given|Family`, year, ISBN-13 of an edition, what else is known. */
type Row = readonly [
  id: string,
  title: string,
  authors: readonly string[],
  year: number,
  isbn: string,
  more?: {
    readonly subtitle?: string;
    readonly original?: readonly [languageCode: string, title: string];
    readonly labels?: Readonly<Record<string, string>>;
  },
];

// Years: of first publication for literature and science; of the edition that the ISBN names for computing.
const ROWS: Readonly<Record<Genre, readonly Row[]>> = {
  fiction: [
    ["moby-dick", "Moby-Dick", ["Herman|Melville"], 1851, "9780142437247", { subtitle: "or, The Whale" }],
    ["pride-and-prejudice", "Pride and Prejudice", ["Jane|Austen"], 1813, "9780141439518"],
    ["jane-eyre", "Jane Eyre", ["Charlotte|Brontë"], 1847, "9780141441146"],
    ["wuthering-heights", "Wuthering Heights", ["Emily|Brontë"], 1847, "9780141439556"],
    [
      "crime-and-punishment",
      "Crime and Punishment",
      ["Fyodor|Dostoevsky"],
      1866,
      "9780679734505",
      { original: ["ru", "Преступление и наказание"] },
    ],
    [
      "don-quixote",
      "Don Quixote",
      ["Miguel de|Cervantes"],
      1605,
      "9780060934347",
      { original: ["es", "El ingenioso hidalgo don Quijote de la Mancha"] },
    ],
    [
      "one-hundred-years-of-solitude",
      "One Hundred Years of Solitude",
      ["Gabriel|García Márquez"],
      1967,
      "9780060883287",
      { original: ["es", "Cien años de soledad"], labels: { author_award: "nobel" } },
    ],
    [
      "the-name-of-the-rose",
      "The Name of the Rose",
      ["Umberto|Eco"],
      1980,
      "9780156001311",
      { original: ["it", "Il nome della rosa"] },
    ],
    ["the-great-gatsby", "The Great Gatsby", ["F. Scott|Fitzgerald"], 1925, "9780743273565"],
    [
      "to-kill-a-mockingbird",
      "To Kill a Mockingbird",
      ["Harper|Lee"],
      1960,
      "9780061120084",
      { labels: { award: "pulitzer" } },
    ],
    ["the-catcher-in-the-rye", "The Catcher in the Rye", ["J. D.|Salinger"], 1951, "9780316769488"],
    [
      "the-old-man-and-the-sea",
      "The Old Man and the Sea",
      ["Ernest|Hemingway"],
      1952,
      "9780684801223",
      { labels: { award: "pulitzer" } },
    ],
    [
      "the-sea-the-sea",
      "The Sea, the Sea",
      ["Iris|Murdoch"],
      1978,
      "9780141186160",
      { labels: { award: "booker" } },
    ],
    ["slaughterhouse-five", "Slaughterhouse-Five", ["Kurt|Vonnegut"], 1969, "9780385333849"],
  ],
  speculative: [
    [
      "frankenstein",
      "Frankenstein",
      ["Mary|Shelley"],
      1818,
      "9780141439471",
      { subtitle: "or, The Modern Prometheus" },
    ],
    ["dracula", "Dracula", ["Bram|Stoker"], 1897, "9780141439846"],
    ["brave-new-world", "Brave New World", ["Aldous|Huxley"], 1932, "9780060850524"],
    [
      "the-hobbit",
      "The Hobbit",
      ["J. R. R.|Tolkien"],
      1937,
      "9780547928227",
      { subtitle: "or, There and Back Again" },
    ],
    ["nineteen-eighty-four", "Nineteen Eighty-Four", ["George|Orwell"], 1949, "9780141036144"],
    ["foundation", "Foundation", ["Isaac|Asimov"], 1951, "9780553293357"],
    ["fahrenheit-451", "Fahrenheit 451", ["Ray|Bradbury"], 1953, "9781451673319"],
    ["dune", "Dune", ["Frank|Herbert"], 1965, "9780441172719", { labels: { award: "hugo" } }],
    [
      "the-left-hand-of-darkness",
      "The Left Hand of Darkness",
      ["Ursula K.|Le Guin"],
      1969,
      "9780441478125",
      { labels: { award: "hugo" } },
    ],
    [
      "the-hitchhikers-guide-to-the-galaxy",
      "The Hitchhiker's Guide to the Galaxy",
      ["Douglas|Adams"],
      1979,
      "9780345391803",
    ],
    ["neuromancer", "Neuromancer", ["William|Gibson"], 1984, "9780441569595", { labels: { award: "hugo" } }],
    ["snow-crash", "Snow Crash", ["Neal|Stephenson"], 1992, "9780553380958"],
  ],
  science: [
    ["the-selfish-gene", "The Selfish Gene", ["Richard|Dawkins"], 1976, "9780199291151"],
    [
      "godel-escher-bach",
      "Gödel, Escher, Bach",
      ["Douglas R.|Hofstadter"],
      1979,
      "9780465026562",
      { subtitle: "An Eternal Golden Braid", labels: { award: "pulitzer" } },
    ],
    ["cosmos", "Cosmos", ["Carl|Sagan"], 1980, "9780345539434"],
    ["a-brief-history-of-time", "A Brief History of Time", ["Stephen|Hawking"], 1988, "9780553380163"],
    ["thinking-fast-and-slow", "Thinking, Fast and Slow", ["Daniel|Kahneman"], 2011, "9780374533557"],
  ],
  computing: [
    [
      "the-c-programming-language",
      "The C Programming Language",
      ["Brian W.|Kernighan", "Dennis M.|Ritchie"],
      1988,
      "9780131103627",
    ],
    [
      "design-patterns",
      "Design Patterns",
      ["Erich|Gamma", "Richard|Helm", "Ralph|Johnson", "John|Vlissides"],
      1994,
      "9780201633610",
      { subtitle: "Elements of Reusable Object-Oriented Software" },
    ],
    [
      "the-mythical-man-month",
      "The Mythical Man-Month",
      ["Frederick P.|Brooks Jr."],
      1995,
      "9780201835953",
      { subtitle: "Essays on Software Engineering" },
    ],
    [
      "structure-and-interpretation-of-computer-programs",
      "Structure and Interpretation of Computer Programs",
      ["Harold|Abelson", "Gerald Jay|Sussman", "Julie|Sussman"],
      1996,
      "9780262510875",
    ],
    [
      "the-practice-of-programming",
      "The Practice of Programming",
      ["Brian W.|Kernighan", "Rob|Pike"],
      1999,
      "9780201615869",
    ],
    ["programming-pearls", "Programming Pearls", ["Jon|Bentley"], 1999, "9780201657883"],
    [
      "types-and-programming-languages",
      "Types and Programming Languages",
      ["Benjamin C.|Pierce"],
      2002,
      "9780262162098",
    ],
    [
      "domain-driven-design",
      "Domain-Driven Design",
      ["Eric|Evans"],
      2003,
      "9780321125217",
      { subtitle: "Tackling Complexity in the Heart of Software" },
    ],
    [
      "working-effectively-with-legacy-code",
      "Working Effectively with Legacy Code",
      ["Michael|Feathers"],
      2004,
      "9780131177055",
    ],
    [
      "introduction-to-algorithms",
      "Introduction to Algorithms",
      ["Thomas H.|Cormen", "Charles E.|Leiserson", "Ronald L.|Rivest", "Clifford|Stein"],
      2009,
      "9780262033848",
    ],
    [
      "the-go-programming-language",
      "The Go Programming Language",
      ["Alan A. A.|Donovan", "Brian W.|Kernighan"],
      2015,
      "9780134190440",
    ],
    [
      "designing-data-intensive-applications",
      "Designing Data-Intensive Applications",
      ["Martin|Kleppmann"],
      2017,
      "9781449373320",
    ],
    ["refactoring", "Refactoring", ["Martin|Fowler"], 2018, "9780134757599"],
    [
      "the-pragmatic-programmer",
      "The Pragmatic Programmer",
      ["David|Thomas", "Andrew|Hunt"],
      2019,
      "9780135957059",
      { subtitle: "Your Journey to Mastery" },
    ],
  ],
};

/** Each call makes the list anew. Prices are the library's own. */
export function* seedBooks(): Generator<BookContent & { readonly id: string }> {
  const prices: Readonly<Record<Genre, bigint>> = {
    fiction: 12n,
    speculative: 14n,
    science: 18n,
    computing: 45n,
  };
  for (const genre of ["fiction", "speculative", "science", "computing"] as const) {
    for (const [id, title, authors, publishYear, isbn, more] of ROWS[genre]) {
      const original = more?.original;
      yield {
        id,
        title,
        subtitle: more?.subtitle,
        authors: authors.map(seedAuthor),
        genre,
        publishYear,
        isbn,
        otherTitles: original === undefined ? [] : [{ languageCode: original[0], title: original[1] }],
        labels: more?.labels ?? {},
        rating: undefined,
        loanPeriodSeconds: DEFAULT_LOAN_SECONDS,
        price: { currency: "EUR", units: prices[genre], nanos: 500_000_000 },
      };
    }
  }
}

function seedAuthor(text: string): Author {
  const bar = text.indexOf("|");
  return { given: text.slice(0, bar), family: text.slice(bar + 1) };
}
