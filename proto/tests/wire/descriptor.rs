//! The protocol's messages as readable text: `proto/golden/descriptor.txt` makes every wire change visible in review.

use std::fmt::Write as _;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, ServiceDescriptorProto,
};

use crate::golden::compare;

#[test]
fn the_messages_are_the_ones_reviewed() {
    compare("descriptor.txt", &text(proto::v1::DESCRIPTOR));
}

fn text(descriptor: &[u8]) -> String {
    let set = FileDescriptorSet::decode(descriptor).expect("the build wrote the descriptor");
    let mut out = String::new();
    let ours = set.file.iter().filter(|file| file.package() == "chatkeep.v1");
    for file in ours {
        line(&mut out, 0, &format!("file {} ({})", file.name(), file.syntax()));
        file.service.iter().for_each(|s| service(&mut out, s));
        file.message_type.iter().for_each(|m| message(&mut out, 1, m));
        file.enum_type.iter().for_each(|e| enumeration(&mut out, 1, e));
    }
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    writeln!(out, "{:1$}{text}", "", depth * 2).expect("text can always be written to memory");
}

fn service(out: &mut String, service: &ServiceDescriptorProto) {
    line(out, 1, &format!("service {}", service.name()));
    for rpc in &service.method {
        let stream = |on: bool| if on { "stream " } else { "" };
        let (asks, answers) = (stream(rpc.client_streaming()), stream(rpc.server_streaming()));
        let (input, output) = (local(rpc.input_type()), local(rpc.output_type()));
        line(out, 2, &format!("rpc {} ({asks}{input}) -> ({answers}{output})", rpc.name()));
    }
}

fn message(out: &mut String, depth: usize, message: &DescriptorProto) {
    line(out, depth, &format!("message {}", message.name()));
    for field in &message.field {
        let group =
            field.oneof_index.filter(|_| !field.proto3_optional()).and_then(|i| message.oneof_decl.get(i as usize));
        let group = group.map_or(String::new(), |group| format!(" in {}", group.name()));
        line(out, depth + 1, &format!("{} {} {}{group}", field.number(), field.name(), kind(field)));
    }
    message.nested_type.iter().for_each(|m| self::message(out, depth + 1, m));
    message.enum_type.iter().for_each(|e| enumeration(out, depth + 1, e));
}

fn kind(field: &FieldDescriptorProto) -> String {
    let label = match field.label() {
        Label::Repeated => "repeated ",
        _ if field.proto3_optional() => "optional ",
        _ => "",
    };
    let name = match field.r#type() {
        Type::Message | Type::Enum => local(field.type_name()).to_owned(),
        scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    };
    format!("{label}{name}")
}

fn local(name: &str) -> &str {
    name.trim_start_matches(".chatkeep.v1.")
}

fn enumeration(out: &mut String, depth: usize, enumeration: &EnumDescriptorProto) {
    line(out, depth, &format!("enum {}", enumeration.name()));
    for value in &enumeration.value {
        line(out, depth + 1, &format!("{} {}", value.number(), value.name()));
    }
}

/// A field that changes its type, number or name, and one that is new, change the text.
#[test]
fn a_changed_field_changes_the_text() {
    let before = text(proto::v1::DESCRIPTOR);
    type Change = fn(&mut FieldDescriptorProto);
    let changes: [Change; 4] = [
        |f| f.number = Some(99),
        |f| f.name = Some("other".into()),
        |f| f.set_type(Type::Fixed64),
        |f| f.set_label(Label::Repeated),
    ];
    for change in changes {
        let mut set = FileDescriptorSet::decode(proto::v1::DESCRIPTOR).unwrap();
        let file = set.file.iter_mut().find(|file| file.name().ends_with("log.proto")).unwrap();
        change(&mut file.message_type[1].field[0]);
        assert_ne!(text(&set.encode_to_vec()), before);
    }
}
