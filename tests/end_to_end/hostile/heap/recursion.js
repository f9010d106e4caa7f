// Recursion without end.
export default function endless() {
  return endless() + 1;
}
