//! Change batches: order, repetition and loss do not matter, and nothing deleted ever passes again.
