// The book as one page, made on the server.

import { bookPage } from "./_lib/page.jsx";

export const GET = (request, { fazt }) =>
  bookPage(fazt, { after: new URL(request.url).searchParams.get("after") });
