//! One fetched document under the rules that hold for every `Fetch` (KEY-3, R3, R5, R7).
