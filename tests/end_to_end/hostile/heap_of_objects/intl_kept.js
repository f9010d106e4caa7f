// Formatters, whose memory is not the collector's.
export default () => {
  const kept = [];
  for (let i = 0; ; i++) kept.push(new Intl.NumberFormat("de", { style: "currency", currency: "EUR", minimumFractionDigits: i % 9 }));
};
