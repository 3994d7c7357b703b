mod bodies;
mod body_form;
#[cfg(feature = "rmcp")]
mod differential;
mod message;
mod mirrored;
mod scan;
